"""Writes images as OCI archives (https://github.com/opencontainers/image-spec), without a container engine.

The same files and the same configuration give the same bytes: members have one time, one order, and no name of a user.
"""

import gzip
import hashlib
import io
import json
import platform
import sys
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MEDIA = "application/vnd.oci.image."


class Layer:
    """The files of an image, which has one layer."""

    def __init__(self, time=0):
        self.time = time
        self.members = {}

    def folder(self, path, mode=0o755, owner=0):
        """Adds a folder, and those above it that are not there yet."""
        self._parents(path)
        self.members[path.strip("/") + "/"] = (b"", mode, owner)

    def file(self, path, content, mode=0o644):
        """Adds a file of root's."""
        self._parents(path)
        self.members[path.strip("/")] = (content, mode, 0)

    def _parents(self, path):
        parts = path.strip("/").split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self.members.setdefault("/".join(parts[:depth]) + "/", (b"", 0o755, 0))

    def archive(self):
        """The layer as an uncompressed tar archive."""
        return tar(sorted(self.members.items()), self.time)


def tar(members, time):
    """A tar archive of (path, (content, mode, owner)); a path with a slash at its end is a folder."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, (content, mode, owner) in members:
            info = tarfile.TarInfo(path.rstrip("/"))
            info.type = tarfile.DIRTYPE if path.endswith("/") else tarfile.REGTYPE
            info.size, info.mode, info.mtime, info.uid, info.gid = len(content), mode, time, owner, owner
            archive.addfile(info, io.BytesIO(content))
    return output.getvalue()


def write(out, name, layer, config):
    """Writes an image with a full name, such as `docker.io/library/hello:1`, and a configuration as of `docker inspect`."""
    plain = layer.archive()
    # The fastest level: what is compressed here is unpacked at once.
    packed = gzip.compress(plain, compresslevel=1, mtime=0)
    machine = {"architecture": ARCHITECTURES[platform.machine()], "os": "linux"}
    image = encode({**machine, "config": config, "rootfs": {"type": "layers", "diff_ids": [digest(plain)]}})
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": MEDIA + "manifest.v1+json",
            "config": descriptor("config.v1+json", image),
            "layers": [descriptor("layer.v1.tar+gzip", packed)],
        }
    )
    names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    entry = {**descriptor("manifest.v1+json", manifest), "platform": machine, "annotations": names}
    index = encode({"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": [entry]})
    contents = {"oci-layout": encode({"imageLayoutVersion": "1.0.0"}), "index.json": index}
    for blob in (image, packed, manifest):
        contents["blobs/sha256/" + digest(blob).partition(":")[2]] = blob
    with open(out, "wb") as file:
        file.write(tar([(path, (content, 0o644, 0)) for path, content in contents.items()], layer.time))


def encode(value):
    return json.dumps(value, sort_keys=True).encode()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(kind, data):
    return {"mediaType": MEDIA + kind, "digest": digest(data), "size": len(data)}


def main():
    """`oci.py PROGRAM NAME OUT`: an image of one static program."""
    program, name, out = sys.argv[1:]
    layer = Layer()
    with open(program, "rb") as file:
        layer.file("bin/program", file.read(), 0o755)
    write(out, name, layer, {"Entrypoint": ["/bin/program"], "User": "65532:65532"})


if __name__ == "__main__":
    main()
