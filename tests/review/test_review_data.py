"""What accessors open, and accessors of one's own whose objects are as simple as can be."""

import gzip
import io

import pytest

from sessionkit_review.errors import InvalidResource, LocationError, UnsupportedOperation
from sessionkit_review.locations import (
    Accessor,
    Data,
    DiskAccessor,
    EntityIdStructure,
    File,
    FileWrapper,
    IdStructure,
    OriginStructure,
    String,
)


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "take.txt"
    path.write_bytes(bytes(range(256)) * 5000)
    return path


class Parcel:
    """No more than `read`, `write`, `flush` and `close`, and no block."""

    def __init__(self, store, name, mode):
        self.store, self.name, self.mode, self.closed = store, name, mode, False
        self.buffer = io.BytesIO(store.get(name, b"") if mode == "rb" else b"")

    def read(self, limit=None):
        return self.buffer.read(limit)

    def write(self, content):
        if self.store.get("full"):
            raise OSError("the store is full")
        self.buffer.write(content)

    def flush(self):
        if self.mode == "wb":
            self.store[self.name] = self.buffer.getvalue()

    def close(self):
        self.flush()
        self.closed = True


class Told(Data):
    """The base and nothing else."""

    def __init__(self, store, name, mode):
        super().__init__()
        self.parcel = Parcel(store, name, mode)

    def read(self, limit=None):
        return self.parcel.read(limit)

    def write(self, content):
        self.parcel.write(content)

    def flush(self):
        self.parcel.flush()


def text_of(store, name, mode):
    return String(store[name].decode("latin-1")) if mode == "rb" else Told(store, name, mode)


def plain_file(store, name, mode):
    return io.BytesIO(store[name]) if mode == "rb" else Told(store, name, mode)


class Store(Accessor):
    """A studio's own storage, as it was written for the vendor's client: nothing here knows of paths."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.kept, self.opened, self.folders = kind, {}, [], []

    def list(self, resource_identifier):
        return [name for name in self.kept if name.startswith(resource_identifier)]

    def exists(self, resource_identifier):
        return resource_identifier in self.kept

    def is_file(self, resource_identifier):
        return resource_identifier in self.kept

    def is_container(self, resource_identifier):
        return resource_identifier in self.folders

    def is_sequence(self, resource_identifier):
        return False

    def open(self, resource_identifier, mode="rb"):
        folder = self.get_container(resource_identifier)
        assert folder in self.folders, "the container is made first"
        self.opened.append(self.kind(self.kept, resource_identifier, mode))
        return self.opened[-1]

    def remove(self, resource_identifier):
        del self.kept[resource_identifier]

    def make_container(self, resource_identifier, recursive=True):
        self.folders.append(resource_identifier)

    def get_container(self, resource_identifier):
        return resource_identifier.rpartition("/")[0]

    def get_filesystem_path(self, resource_identifier):
        raise NotImplementedError


@pytest.fixture
def places(session, tmp_path):
    """Two locations, one with a storage of its own kind and one on disk."""

    def places(kind):
        made = [session.ensure("Location", {"name": name}) for name in ("own", "disk")]
        for location, accessor in zip(made, (Store(kind), DiskAccessor(tmp_path / "disk")), strict=True):
            location.accessor, location.structure, location.priority = accessor, IdStructure(), 1
        return made

    return places


@pytest.mark.parametrize("kind", [Parcel, Told, plain_file])
def test_components_go_through_whatever_an_accessor_opens(session, file, places, kind):
    own, disk = places(kind)
    component = session.create_component(file, location=own)
    name = own.get_resource_identifier(component)
    assert own.accessor.kept[name] == file.read_bytes()
    disk.add_component(component, own)
    with disk.accessor.open(disk.get_resource_identifier(component)) as data:
        assert data.read() == file.read_bytes()
    assert all(each.closed for each in own.accessor.opened)
    session.server_location.add_component(component, own)
    with session.server_location.accessor.open(component["id"]) as data:
        assert data.read() == file.read_bytes()
    own.remove_component(component)
    assert own.accessor.kept == {}


def test_text_that_an_accessor_gives_is_stored_as_utf_8(session, tmp_path, places):
    own, disk = places(text_of)
    (tmp_path / "note.txt").write_bytes("größe".encode("latin-1"))
    component = session.create_component(tmp_path / "note.txt", location=own)
    disk.add_component(component, own)
    with File(disk.get_filesystem_path(component), "r") as data:
        assert data.read() == "größe"


def test_what_could_not_be_stored_whole_is_not_there(session, file, places):
    own, _ = places(Parcel)
    own.accessor.kept["full"] = True
    component = session.create_component(file, location=None)
    with pytest.raises(OSError, match="the store is full"):
        own.add_component(component, session.origin_location)
    assert own.accessor.opened[-1].closed
    assert list(own.accessor.kept) == ["full"]
    assert own.get_component_availability(component) == 0.0


def test_the_base_says_what_it_cannot():
    data = Told({}, "a", "wb")
    for attempt in (data.tell, lambda: data.seek(0)):
        with pytest.raises(UnsupportedOperation, match="a Told is read and written"):
            attempt()
    with data as same:
        assert same is data
        data.write(b"x")
    assert data.closed
    assert data.parcel.store == {"a": b"x"}
    data.parcel.store.clear()
    data.close()
    assert data.parcel.store == {}
    with pytest.raises(TypeError):
        Data()
    store = Store(Parcel)
    for attempt in (Accessor.is_sequence, Accessor.get_url, Accessor.get_filesystem_path):
        with pytest.raises(UnsupportedOperation):
            attempt(store, "a")


def test_files_are_data(tmp_path):
    path = tmp_path / "a.txt"
    with File(path, "w") as data:
        assert data.write("größe\nzwei") == 10
    assert path.read_bytes() == "größe\nzwei".encode()
    with File(path) as data:
        assert (data.read(2), data.tell(), data.seek(0)) == (b"gr", 2, 0)
        assert list(data) == ["größe\n".encode(), b"zwei"]
        assert (data.read(), data.wrapped_file.name) == (b"", str(path))
    assert data.closed
    assert data.wrapped_file.closed
    data.close()
    with FileWrapper(gzip.open(tmp_path / "a.gz", "wb")) as packed:
        packed.write(b"packed")
    with gzip.open(tmp_path / "a.gz") as unpacked:
        assert unpacked.read() == b"packed"
    with pytest.raises(FileNotFoundError):
        File(tmp_path / "nothing")


def test_a_file_is_closed_even_when_it_cannot_be_flushed():
    class Full(io.BytesIO):
        def flush(self):
            raise OSError("full")

    file = Full()
    data = FileWrapper(file)
    with pytest.raises(OSError, match="full"):
        data.close()
    assert (data.closed, file.closed) == (True, True)


def test_strings_remember_whether_they_are_text():
    with String(b"abc") as data:
        assert (data.read(2), data.read(), data.read()) == (b"ab", b"c", b"")
        assert data.is_binary
        data.write("ü")
        data.seek(0)
        assert (data.read(), data.is_binary) == ("abcü", False)
    with String("größe") as data:
        assert (data.read(3), data.read(1), data.read(0), data.read()) == ("grö", "ß", "", "e")
        data.seek(0)
        data.write("G")
        data.seek(0)
        assert data.read() == "Größe"
    with String() as data:
        assert data.read() == b""
        data.write(b"x" * (3 << 20))
        data.seek(0)
        assert len(data.read()) == 3 << 20
    assert data.closed


def test_a_disk_is_opened_as_bytes_or_as_text(tmp_path):
    accessor = DiskAccessor(prefix=str(tmp_path))
    with accessor.open("new/notes.txt", "w") as data:
        data.write("größe")
    with accessor.open("new/notes.txt", "r") as data:
        assert data.read() == "größe"
    with accessor.open("new/notes.txt", "ab") as data:
        data.write(b"!")
    with accessor.open("new/notes.txt") as data:
        assert isinstance(data, File)
        assert data.read() == "größe!".encode()
    with pytest.raises(InvalidResource, match="directory"):
        accessor.open("new")
    accessor.remove("new/notes.txt")
    accessor.remove_container("new")
    assert not accessor.exists("new")
    assert DiskAccessor(None).get_filesystem_path("/a") == "/a"


def test_what_is_on_the_server_is_data_too(session, file, sandbox):
    server = session.server_location.accessor
    component = session.create_component(file, {"name": "notes"}, location=None)
    outgoing = server.open(component["id"], "wb")
    assert isinstance(outgoing, Data)
    outgoing.write(b"one")
    outgoing.flush()
    outgoing.seek(0)
    outgoing.write(b"O")
    outgoing.close()
    outgoing.close()
    asked = [each for entry in sandbox.requests(path="/api") for each in entry.json()]
    sent = [each for each in asked if each["action"] == "get_upload_metadata"]
    mine = [each for each in sent if each["component_id"] == component["id"]]
    assert [(each["file_name"], each["file_size"]) for each in mine] == [("notes.txt", 3)]
    with server.open(component["id"]) as incoming:
        assert isinstance(incoming, Data)
        assert (incoming.read(2), incoming.tell(), incoming.read()) == (b"On", 2, b"e")


def test_files_of_other_components_are_never_overwritten(session, file, tmp_path):
    disk = session.ensure("Location", {"name": "careful"})
    disk.accessor, disk.structure = DiskAccessor(tmp_path / "disk"), Same()
    session.create_component(file, location=disk)
    (tmp_path / "other.txt").write_bytes(b"other")
    other = session.create_component(tmp_path / "other.txt", location=None)
    with pytest.raises(LocationError, match="has a file 'same' already"):
        disk.add_component(other, session.origin_location)
    assert (tmp_path / "disk" / "same").read_bytes() == file.read_bytes()
    assert disk.get_component_availability(other) == 0.0
    disk.structure = EntityIdStructure()
    disk.add_component(other, session.origin_location)
    disk.session.select("ComponentLocation").where(component_id=other["id"], location_id=disk["id"]).one()


class Same(EntityIdStructure):
    def get_resource_identifier(self, entity, context=None):
        return "same"


def test_a_component_may_come_from_a_path(session, file, tmp_path):
    """As users tell the origin of components that they create themselves."""
    component = session.create("FileComponent", {"name": "own", "file_type": ".txt"})
    session.origin_location.add_component(component, str(file), recursive=False)
    assert session.origin_location.get_filesystem_path(component) == str(file)
    session.commit()
    disk = session.ensure("Location", {"name": "from a path"})
    disk.accessor, disk.structure = DiskAccessor(tmp_path / "disk"), IdStructure()
    disk.add_component(component, session.origin_location)
    second, third = (session.create("FileComponent", {"name": name}) for name in ("b", "c"))
    session.commit()
    disk.add_components([second, third], file)
    disk.remove_component(third)
    disk.add_components([third], [str(file)])
    for each in (component, second, third):
        with disk.accessor.open(disk.get_resource_identifier(each)) as data:
            assert data.read() == file.read_bytes()
    fourth = session.create_component(file, location=None)
    with pytest.raises(ValueError, match="1 components cannot come from 2 sources"):
        disk.add_components([fourth], [file, file])


def test_many_files_are_moved_and_removed_in_few_calls(session, tmp_path, places, calls):
    own, disk = places(Parcel)
    for frame in range(1, 31):
        (tmp_path / f"beauty.{frame:04}.exr").write_bytes(b"%d" % frame)
    sequence = session.create_component(tmp_path / "beauty.%04d.exr [1-30]", location=own)
    assert len(sequence["members"]) == 30
    before = calls()
    disk.add_components([sequence], [own])
    assert calls() - before == 3
    before = calls()
    own.remove_component(sequence)
    assert calls() - before == 3
    assert own.accessor.kept == {}
    assert disk.get_component_availability(sequence) == 100.0


def test_what_cannot_be_removed_stays_noted(session, file, places):
    own, _ = places(Parcel)
    first, second, third = (session.create_component(file, location=own) for _ in range(3))
    names = own.get_resource_identifiers([first, second, third])
    remove = own.accessor.remove

    def refusing(name):
        if name == names[1]:
            raise InvalidResource(name)
        remove(name)

    own.accessor.remove = refusing
    with pytest.raises(InvalidResource):
        own.remove_components([first, second, third])
    assert own.get_component_availabilities([first, second, third]) == [0.0, 100.0, 100.0]
    assert sorted(own.accessor.kept) == sorted(names[1:])


def test_a_container_is_a_folder(session, file, tmp_path):
    disk = session.ensure("Location", {"name": "folders"})
    disk.accessor, disk.structure = DiskAccessor(tmp_path / "disk"), IdStructure()
    container = session.create("ContainerComponent", {"name": "all"})
    member = session.create("FileComponent", {"name": "one", "file_type": ".txt", "container": container})
    session.commit()
    disk.add_component(container, file)
    folder = disk.get_resource_identifier(container)
    assert disk.accessor.is_container(folder)
    assert disk.get_resource_identifier(member) == f"{folder}/{member['id']}.txt"


def test_a_versions_component_is_its_own(session, file):
    first, second = session.query("AssetVersion limit 2").all()
    component = first.create_component(file, {"name": "own", "version_id": second["id"], "version": second})
    assert component["version"] is first


def test_what_is_no_location_is_refused(session, file, tmp_path, calls):
    disk = session.ensure("Location", {"name": "refusing"})
    disk.accessor, disk.structure = DiskAccessor(tmp_path / "disk"), IdStructure()
    component = session.create_component(file, location=None)
    before = calls()
    for location in ("refusing", 5):
        with pytest.raises(TypeError, match="location is a location"):
            session.create_component(file, location=location)
    assert calls() == before
    for sources in ([None], [5]):
        with pytest.raises(TypeError, match="a source is a location or a path"):
            disk.add_components([component], sources)
    with pytest.raises(TypeError, match="a source is a location or a path"):
        disk.add_component(component, None)


def test_a_location_may_only_note_where_files_are(session, file, tmp_path, open_session):
    noting = session.ensure("Location", {"name": "noting"})
    noting.accessor, noting.structure = DiskAccessor(), OriginStructure()
    noting.setup.keeps_files = False
    component = session.create_component(file, location=noting)
    assert noting.get_filesystem_path(component) == str(file)
    asked = open_session().select("ComponentLocation", "resource_identifier")
    there = asked.where(component_id=component["id"]).one()
    assert there["resource_identifier"] == str(file)
    noting.remove_component(component)
    assert file.exists()
