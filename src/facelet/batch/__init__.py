"""Many photos and videos on many machines: a callable for Ray Data, Spark and Dask, and the job of `facelet predict --out`.

>>> from facelet.batch import FacePredictor
>>> dataset.map_batches(FacePredictor("student-int8.onnx"), batch_format="pyarrow")   # Ray Data
>>> frame.mapInPandas(predictor.stream, predictor.spark_schema)                       # Spark
>>> frame.map_partitions(predictor, meta=predictor.meta)                              # Dask

Nothing here imports Ray, Spark, Dask, pandas or pyarrow before it is used.
"""

from facelet.batch.predictor import FacePredictor

__all__ = ["FacePredictor"]
