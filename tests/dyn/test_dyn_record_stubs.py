"""What type checkers are told of the record classes is what they are."""

from pathlib import Path

import sessionkit_dyn
from sessionkit_dyn import record_stubs, records


def test_the_stubs_are_those_of_the_table():
    written = Path(sessionkit_dyn.__file__).with_name("records.pyi").read_text()
    assert written == record_stubs.stub(), "python -m sessionkit_dyn.record_stubs > .../records.pyi"


def test_every_class_is_importable_by_name():
    for name, cls in records.RECORD_CLASSES.items():
        assert getattr(records, f"{name}Record") is cls
        assert cls.__module__ == "sessionkit_dyn.records"
