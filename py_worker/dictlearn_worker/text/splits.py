"""The files of a split in a local folder, by its README.md or their names, as in a downloaded dataset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import WorkerError
from ..found_files import Found
from .no_effect import no_effect

# The split that is read if none is named.
DEFAULT = "train"
OTHER_NAMES = {
    "training": "train",
    **dict.fromkeys(("valid", "val", "dev"), "validation"),
    **dict.fromkeys(("testing", "eval", "evaluation"), "test"),
}
WORDS = "|".join(sorted({*OTHER_NAMES, *OTHER_NAMES.values()}, key=len, reverse=True))
# train.jsonl and train-1.jsonl, and the hub's names for any split: train_sft-00000-of-00003.parquet.
OF_A_SPLIT = re.compile(rf"(?P<word>{WORDS})([-_.]\d[^.]*)?\.|(?P<shard>\w+(\.\w+)*)-\d{{5}}-of-\d{{5}}")

Splits = dict[str, list[Found]]


def of_split(path: str, files: list[Found], split: str, name: str | None) -> tuple[list[Found], list[str]]:
    """The files of a split, and the names of all splits. All files if they belong to no split and it is the default.

    Raises `config`, `unknown_dataset` or `unknown_split`.
    """
    root = Path(path).expanduser()
    described = described_splits(path, root, files, name) if root.is_dir() else None
    if described is None and name is not None:
        raise no_effect("name", name, f"{path} is on this machine's disk and describes no configurations")
    if root.is_file():
        if split != DEFAULT:
            raise no_effect("split", split, f"{path} is one file and has no splits")
        return files, []
    splits, others = (described, []) if described is not None else named_splits(files)
    wanted = split if split in splits else OTHER_NAMES.get(split, split)
    if wanted in splits and (wanted != DEFAULT or not others):
        return splits[wanted], sorted(splits)
    if split == DEFAULT and others and len(splits) < 2:
        return files, []
    names = ", ".join(sorted(splits))
    if split == DEFAULT and others:
        raise WorkerError(
            "unknown_split",
            f"{path} holds files of the splits {names}, and others that belong to none, {others[0].name} first.",
            hint="Name one file or folder of them as data.path, or move the others away.",
        )
    raise WorkerError(
        "unknown_split",
        f"{path} has no split {split!r}: {f'it has {names}' if splits else 'its files belong to no split'}.",
        hint="Set data.split to one that it has." if splits else "Leave data.split out to read all files.",
        splits=sorted(splits),
    )


def named_splits(files: list[Found]) -> tuple[Splits, list[Found]]:
    """The files of each split by their own names or those of their folders, and the files that belong to no split."""
    splits: Splits = {}
    others: list[Found] = []
    for file in files:
        *folders, last = file.name.split("/")
        match = OF_A_SPLIT.match(last)
        word = match and (match["word"] or match["shard"])
        word = word or next((each for each in folders if re.fullmatch(WORDS, each)), None)
        if word is None:
            others.append(file)
        else:
            splits.setdefault(OTHER_NAMES.get(word, word), []).append(file)
    return splits, others


def described_splits(path: str, root: Path, files: list[Found], name: str | None) -> Splits | None:
    """The splits of configuration `name`, or of the only or default one; None if no README.md describes any."""
    described = {str(each.get("config_name", "default")): each for each in configurations(root)}
    splits = {each: patterns_of(facts) for each, facts in described.items() if facts.get("data_files")}
    if not splits:
        return None
    chosen = name
    if name is None:
        chosen = next((each for each in splits if described[each].get("default") or each == "default"), None)
        chosen = next(iter(splits)) if len(splits) == 1 else chosen
    if chosen not in splits:
        what = f"no configuration {name!r}" if name is not None else "several configurations"
        raise WorkerError(
            "unknown_dataset",
            f"The README.md of {path} describes {what}: it has {', '.join(splits)}.",
            hint="Set data.name to one of them.",
        )
    found = {
        split: [file for file in files if any(pattern.fullmatch(file.name) for pattern in patterns)]
        for split, patterns in splits[chosen].items()
    }
    # A description that matches no readable file belongs to another copy of the dataset.
    return {split: own for split, own in found.items() if own} or None


def configurations(root: Path) -> list[dict[str, Any]]:
    """`configs` of the YAML at the beginning of README.md; empty if it has no readable one."""
    import yaml

    try:
        text = (root / "README.md").read_text(encoding="utf-8")
        match = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
        facts = yaml.safe_load(match[1]) if match else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    configs = facts.get("configs") if isinstance(facts, dict) else None
    return [each for each in configs if isinstance(each, dict)] if isinstance(configs, list) else []


def patterns_of(config: dict[str, Any]) -> dict[str, list[re.Pattern[str]]]:
    """`data_files` as patterns by split: paths, which belong to the default split, or an entry for each split."""
    folder = str(config.get("data_dir") or "")
    found: dict[str, list[re.Pattern[str]]] = {}
    entries = config["data_files"]
    if isinstance(entries, dict):
        entries = [{"split": split, "path": paths} for split, paths in entries.items()]
    for entry in entries if isinstance(entries, list) else [entries]:
        split, paths = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else (DEFAULT, entry)
        for each in paths if isinstance(paths, list) else [paths]:
            whole = f"{folder}/{each}".strip("/").removeprefix("./")
            found.setdefault(str(split), []).append(re.compile(translated(whole)))
    return found


def translated(pattern: str) -> str:
    """A path with wildcards as a regular expression: `**` crosses folders, `*` and `?` do not."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    wild = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(wild.get(part) or re.escape(part) for part in parts)
