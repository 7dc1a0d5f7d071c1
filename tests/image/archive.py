"""Writes the image of the Dockerfile as an OCI archive, without a container engine and without a registry.

    archive.py ROOT NAME OUT

ROOT is what the Dockerfile's first stage leaves in /root-of-image. The last stage is read from the Dockerfile. What stands in for
its base image, distroless/static, is what that has of use to a static program with time zones of its own: the certificates of
public authorities, a user, and folders for it. SOURCE_DATE_EPOCH is the time of all files. AUTHORITIES names another folder of
certificates than that of Debian's package.
"""

import glob
import json
import os
import shlex
import sys

import oci

BASE = "gcr.io/distroless/static-debian12:nonroot"
STAGE = "/root-of-image"
# Not the machine's bundle: an authority that an administrator has added is trusted on that machine, not in every cluster.
AUTHORITIES = "/usr/share/ca-certificates/mozilla"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
USER = 65532
PASSWD = b"""root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
"""


def main():
    root, name, out = sys.argv[1:]
    layer = oci.Layer(int(os.environ.get("SOURCE_DATE_EPOCH", "0")))
    config = base(layer)
    with open("Dockerfile", encoding="utf-8") as file:
        for instruction, rest in last_stage(file.read()):
            apply(instruction, rest, root, layer, config)
    oci.write(out, name, layer, config)


def base(layer):
    """Puts the files of the base image into a layer, and returns its configuration."""
    layer.file("etc/passwd", PASSWD)
    layer.file("etc/group", b"root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n")
    layer.file("etc/nsswitch.conf", b"hosts: files dns\n")
    layer.file(BUNDLE, authorities())
    layer.folder("tmp", 0o1777)
    layer.folder("home/nonroot", 0o700, USER)
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"Env": [f"PATH={path}", f"SSL_CERT_FILE={BUNDLE}"], "User": str(USER), "WorkingDir": "/home/nonroot"}


def authorities():
    """The certificates of public authorities, in PEM."""
    folder = os.environ.get("AUTHORITIES", AUTHORITIES)
    files = sorted(glob.glob(os.path.join(folder, "*.crt")))
    if not files:
        sys.exit(f"image: {folder} has no certificates of public authorities: install the package ca-certificates")
    bundle = b""
    for path in files:
        with open(path, "rb") as file:
            bundle += file.read().rstrip() + b"\n"
    return bundle


def last_stage(text):
    """The instructions after the last FROM, which must name the image that `base` stands in for."""
    lines = text.replace("\\\n", " ").splitlines()
    instructions = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    start = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    if instructions[start][1] != BASE:
        sys.exit(f"image: the Dockerfile's last stage is from {instructions[start][1]}, not from {BASE}")
    return instructions[start + 1 :]


def apply(instruction, rest, root, layer, config):
    """Does what one instruction says; one that is not known here must not be passed over."""
    if instruction == "LABEL":
        labels = dict(word.split("=", 1) for word in shlex.split(rest))
        config.setdefault("Labels", {}).update(labels)
    elif instruction == "COPY":
        stage, source, target = rest.split()
        if stage != "--from=build" or not source.startswith(STAGE + "/"):
            sys.exit(f"image: COPY {rest} is not from {STAGE} of the first stage")
        copy(root + source[len(STAGE) :], target, layer)
    elif instruction == "USER":
        config["User"] = rest.strip()
    elif instruction == "ENTRYPOINT":
        config["Entrypoint"] = json.loads(rest)
    else:
        sys.exit(f"image: {instruction} of the Dockerfile's last stage is not known to tests/image/archive.py")


def copy(source, target, layer):
    """Adds a file, or what a folder has in it."""
    if not os.path.isdir(source):
        with open(source, "rb") as file:
            layer.file(target, file.read(), os.stat(source).st_mode & 0o7777)
        return
    layer.folder(target)
    for name in sorted(os.listdir(source)):
        copy(os.path.join(source, name), f"{target}/{name}", layer)


main()
