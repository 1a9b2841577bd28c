"""On Ray: the same files as one process, also after a kill. Ray is started on this machine; without it the tests are skipped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facelet.batch import cluster, job
from facelet.batch.predictor import FacePredictor
from facelet.errors import FaceletError

parquet = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize(("cores", "workers", "expected"), [(2, 1, 1.0), (2, 4, 0.5), (64, 64, 1.0), (1, 3, 0.333)])
def test_all_workers_fit_on_the_cluster(cores, workers, expected):
    assert cluster.cpus_each(cores, workers) == expected
    assert cluster.cpus_each(cores, workers) * workers <= cores


def test_an_address_where_nobody_listens_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
            cluster.require_listening(address)
    for address in (f"127.0.0.1:{port}", "127.0.0.1:x", "127.0.0.1:99999999"):
        with pytest.raises(
            FaceletError, match=f"no Ray cluster at {address}: .*; give the address of `ray start --head`"
        ):
            cluster.require_listening(address)
    for keyword in ("", "auto", "local"):
        cluster.require_listening(keyword)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def ray():
    """Ray on this machine, with two CPUs whatever it has."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False, object_store_memory=100 * 2**20)
    yield ray
    ray.shutdown()


@pytest.fixture
def crops(album, photo):
    """Forty ready crops beside the album's."""
    for number in range(40):
        (album / f"crop{number:02d}.png").write_bytes(photo(5 * number + 20))
    return album


@pytest.mark.slow
def test_ray_writes_what_one_process_writes(ray, crops, tiny, tmp_path):
    predictor = FacePredictor(tiny, cropped=True)
    alone = job.run(["work"], "alone", predictor, each=4)
    shared = job.run(["work"], "shared", predictor, each=4, ray="", workers=2)
    assert (shared.files, shared.faces, shared.broken) == (alone.files, alone.faces, alone.broken) == (45, 44, 1)
    assert contents(tmp_path / "alone") == contents(tmp_path / "shared")
    again = job.run(["work"], "shared", predictor, each=4, ray="", workers=2)
    assert (again.done_before, again.faces) == (45, 0)


@pytest.mark.slow
def test_a_worker_that_fails_is_one_line(ray, crops, tiny):
    """A model that is damaged, as far as the workers can tell."""
    predictor = FacePredictor(tiny, cropped=True)
    settings = predictor._settings
    predictor._settings = replace(settings, model=replace(settings.model, data=b"damaged"))
    with pytest.raises(FaceletError, match=r"is not a complete ONNX file .* \(on .*; what is done is kept"):
        job.run(["work"], "out", predictor, ray="")


@pytest.mark.slow
def test_map_batches_takes_the_class_and_the_instance(ray, crops, tiny, photo):
    photos = [{"path": f"{shade}.png", "bytes": photo(shade)} for shade in (250, 20, 240)] + [
        {"path": "x", "bytes": b"x"}
    ]
    dataset = ray.data.from_items(photos)
    made = dataset.map_batches(
        FacePredictor,
        fn_constructor_args=(str(tiny),),
        fn_constructor_kwargs={"cropped": True},
        compute=ray.data.ActorPoolStrategy(size=1),
        num_cpus=0.5,
        batch_format="pyarrow",
    )
    given = dataset.map_batches(FacePredictor(tiny, cropped=True), num_cpus=0.5)
    expected = {"250.png": "bright", "20.png": "dark", "240.png": "bright", "x": None}
    for result in (made, given):
        rows = result.take_all()
        assert {row["file"]: row["expression"] for row in rows} == expected
        assert "not a readable image" in next(row["error"] for row in rows if row["file"] == "x")


@pytest.mark.slow
def test_an_address_without_a_cluster_is_one_line(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    code = (
        "import ray._private.services as services\n"
        "services.find_gcs_addresses = set\n"  # another test's cluster may run on this machine
        "from facelet.batch.cluster import connected\n"
        "from facelet.errors import FaceletError\n"
        "try:\n    connected('auto').__enter__()\nexcept FaceletError as error:\n    print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=without_cluster() | {"RAY_TMPDIR": str(tmp_path)},
    )
    assert run.stdout.startswith("no Ray cluster at auto: ")
    assert len(run.stdout.splitlines()) == 1


def without_cluster() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}


@pytest.mark.slow
def test_the_command_killed_on_ray_goes_on(crops, tiny, tmp_path, monkeypatch):
    """SIGKILL of the command's process when some parts are there; then the rest, and the files of an uninterrupted run."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    rng = np.random.default_rng(0)
    import cv2

    for number in range(600):
        cv2.imwrite(f"work/more{number:03d}.jpg", rng.integers(0, 255, (200, 200, 3)).astype(np.uint8))
    command = [sys.executable, "-m", "facelet.cli", "predict", "work", "--cropped", "--model", str(tiny)]
    on_ray = [*command, "--ray", "local", "--workers", "1", "--out", "killed"]
    with subprocess.Popen(on_ray, env=without_cluster(), start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while not list(Path("killed").glob("part-*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    time.sleep(3)  # Ray's workers end with their driver
    done = len(list(Path("killed").glob("part-*.parquet")))
    subprocess.run(on_ray, env=without_cluster(), check=True)
    subprocess.run([*command, "--out", "whole"], check=True)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert 0 < done < len(list(Path("whole").glob("part-*.parquet")))
