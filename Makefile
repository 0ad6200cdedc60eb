# Each target does its own set-up: see setup.sh. Second runs skip what is there.

report: .venv/ready-run
	.venv/bin/python runner.py build

test: .venv/ready-test
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -n auto

build/sbom.json: constraints.txt pyproject.toml
	python3 -m venv build/sbom
	build/sbom/bin/python -m pip install -q --disable-pip-version-check cyclonedx-bom==7.5.0
	build/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o $@ constraints.txt

sbom: build/sbom.json

.venv/ready-%: pyproject.toml constraints.txt setup.sh
	sh setup.sh $*

clean:
	rm -rf .venv .build site build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: report test sbom clean
