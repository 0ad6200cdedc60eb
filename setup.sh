#!/bin/sh
# Sets up what `make report` (argument: run) and `make test` (argument: test) need.
#
# The packages go to one environment outside the checkout, named by the hash of what is pinned, so that every
# clone shares it. `.venv` is a thin environment of this checkout: it sees those packages and this project.
# TeX Live comes from the distribution's packages where they can be installed; without it all but the PDF is built.
set -eu
what=${1:-run}
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"

apt_install() {  # as root or through sudo without a password; fails where neither is possible
    if [ "$(id -u)" = 0 ]; then sudo=""; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo="sudo"; else return 1; fi
    command -v apt-get >/dev/null || return 1
    $sudo apt-get update -qq || return 1
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python=""
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "convstudy needs Python 3.11 or newer, and none is on PATH; install it (Debian, Ubuntu: sudo apt-get install python3 python3-venv)." >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    apt_install "python$version-venv" || { echo "Python lacks its venv module; run: sudo apt-get install python$version-venv" >&2; exit 1; }
fi

case $what in run) extras="" ;; test) extras="test" ;; *) echo "setup.sh: say run or test, not $what" >&2; exit 2 ;; esac
requirements() {  # the project's dependencies, and those of the extras named
    "$python" - "$@" <<'PY'
import sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
print("\n".join(project["dependencies"] + [r for extra in sys.argv[1:] for r in project["optional-dependencies"][extra]]))
PY
}
hash=$({ requirements test; cat constraints.txt; "$python" -VV; } | sha256sum | cut -c1-12)
shared=${XDG_CACHE_HOME:-$HOME/.cache}/convstudy/environment-$hash
mkdir -p "$shared"
[ -x "$shared/bin/python" ] || "$python" -m venv "$shared"
if [ ! -e "$shared/installed-$what" ] && [ ! -e "$shared/installed-test" ]; then
    echo "Installing the pinned packages (once; about 5 GB with torch) …"
    # shellcheck disable=SC2086
    requirements $extras > "$shared/requirements-$what.txt"
    "$shared/bin/python" -m pip install -q --disable-pip-version-check "setuptools>=77" wheel -r "$shared/requirements-$what.txt" -c constraints.txt
    touch "$shared/installed-$what"
fi

[ -x .venv/bin/python ] || "$python" -m venv --without-pip .venv
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
packages=$("$shared/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf 'import site; site.addsitedir(%s)\n' "'$packages'" > "$site/convstudy-packages.pth"
"$shared/bin/python" -m pip --python .venv/bin/python install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
.venv/bin/python -m compileall -q analyses engine lab report results runner.py || true  # a faster start, also where Python may not keep it
[ ! -x "$shared/bin/lint-imports" ] || ln -sf "$shared/bin/lint-imports" .venv/bin/lint-imports

tex="texlive-latex-recommended texlive-fonts-recommended texlive-latex-extra latexmk poppler-utils qpdf"
if ! command -v latexmk >/dev/null || ! command -v pdflatex >/dev/null || ! kpsewhich bookmark.sty ptmr8t.tfm >/dev/null 2>&1 || ! command -v pdftotext >/dev/null; then
    echo "Installing TeX Live from the distribution's packages (once; about 540 MB) …"
    # shellcheck disable=SC2086
    apt_install $tex || echo "No TeX here, so no PDF (the site and the .tex are built); to have it, run: sudo apt-get install --no-install-recommends $tex" >&2
fi
touch ".venv/ready-$what"
