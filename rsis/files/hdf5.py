"""Access to untrusted HDF5 files: values come from the file itself, and their size is known before they are read.

An HDF5 file can refer to other files: by external links, by external storage (raw bytes of any file) and by virtual
data sets. Such a file would bring whatever the machine holds into a data set. It can also declare sizes that it does
not hold, for which memory would be allocated. `own_dataset` refuses both.
"""

import math

import h5py

MOST_BYTES = 2**28  # of one value, or of one chunk: 268 megabytes


def member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """Return a member that lies in the same file and is not reached by a link.

    Raises:
        ValueError: There is no such member, or it is a link to another place or file.
    """
    link = group.get(name, getlink=True)
    if link is None:
        raise ValueError(f"{_path(group, name)} is missing")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{_path(group, name)} is a link, which is not followed")
    return group[name]


def own_group(group: h5py.Group, name: str) -> h5py.Group:
    """Return a group that lies in the same file.

    Raises:
        ValueError: See `member`; or it is no group.
    """
    found = member(group, name)
    if not isinstance(found, h5py.Group):
        raise ValueError(f"{_path(group, name)} is no group")
    return found


def own_dataset(group: h5py.Group, name: str, *, most_bytes: int = MOST_BYTES) -> h5py.Dataset:
    """Return a data set whose values lie in the same file.

    Args:
        group: The group that holds it.
        name: Its name.
        most_bytes: Most bytes that it may have in memory.

    Raises:
        ValueError: See `member`; or it is no data set, its values lie outside the file, or it declares more values
            than `most_bytes` or than the file can hold.
    """
    found = member(group, name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{_path(group, name)} is no data set")
    if found.is_virtual or found.external:
        raise ValueError(f"{_path(group, name)} has its values in another file, which is not read")
    if found.shape is None:
        raise ValueError(f"{_path(group, name)} has no values")
    size, chunk = found.dtype.itemsize * math.prod(found.shape), found.dtype.itemsize * math.prod(found.chunks or ())
    if size > most_bytes or chunk > MOST_BYTES:
        raise ValueError(
            f"{_path(group, name)} declares {found.dtype} {list(found.shape)}, too much to be read at once"
        )
    stored = found.id.get_storage_size()
    if size and not stored:
        raise ValueError(f"{_path(group, name)} declares {found.dtype} {list(found.shape)} and holds no value")
    return found


def _path(group: h5py.Group, name: str) -> str:
    return f"{group.name}/{name}".strip("/")
