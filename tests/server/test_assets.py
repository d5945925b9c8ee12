import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "server" / "static"
VENDOR = STATIC / "vendor"
PACKAGES = json.loads((VENDOR / "manifest.json").read_text())["packages"]
RECORDS = [record for package in PACKAGES for record in (*package["files"], *package["licenses"])]
OURS = sorted(
    path
    for path in STATIC.rglob("*")
    if path.suffix in {".js", ".css", ".svg"} and VENDOR not in path.parents
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["file"])
def test_a_vendored_file_is_what_the_manifest_says(record):
    content = (VENDOR / record["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == record["sha256"]
    assert f"sha384-{b64encode(hashlib.sha384(content).digest()).decode()}" == record["integrity"]


def test_the_manifest_names_every_vendored_file():
    kept = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert kept == {record["file"] for record in RECORDS} | {"manifest.json"}


def test_the_manifest_holds_what_package_json_asks_for_at_the_locked_versions():
    asked = json.loads((ROOT / "package.json").read_text())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert {package["package"]: package["version"] for package in PACKAGES} == asked["dependencies"]
    for package in PACKAGES:
        name = package["package"]
        assert locked[f"node_modules/{name}"]["version"] == package["version"]
        assert locked[f"node_modules/{name}"]["integrity"].startswith("sha512-")
        assert len(package["files"]) == len(asked["assets"][name])


def test_the_lock_names_no_registry():
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["package"])
def test_each_package_comes_with_its_licences(package):
    free = {"MIT", "ISC", "0BSD", "BSD-0-Clause", "BSD-2-Clause", "BSD-3-Clause"}
    assert package["licenses"]
    assert {part["license"] for part in package["licenses"]} | {package["license"]} <= free


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["file"])
def test_no_asset_asks_for_a_source_map_or_a_font(record):
    text = (VENDOR / record["file"]).read_text(errors="replace")
    assert "sourceMappingURL" not in text
    assert "@font-face" not in text


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_own_assets_name_no_other_host(path):
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|[\"'(]//", text)


@pytest.mark.parametrize("path", [p for p in OURS if p.suffix == ".js"], ids=lambda path: path.name)
def test_our_modules_never_write_markup(path):
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser",
        path.read_text(),
    )


def test_what_a_style_sheet_names_is_there():
    for path in STATIC.rglob("*.css"):
        for name in re.findall(r"""url\(["']?(?!data:|#)([^"')]+)""", path.read_text()):
            assert (path.parent / name).is_file(), f"{path.name} names {name}"
