"""OCI image layouts, made by hand or copied by skopeo."""

import hashlib
import json
import subprocess
from pathlib import Path

from lab import paths

UKI_TYPE = "application/vnd.ironcore.image.uki"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def digest(data):
    """The SHA-256 of bytes, in text."""
    return hashlib.sha256(data).hexdigest()


class Layout:
    """An OCI image layout, made by hand."""

    def __init__(self, path):
        self.path = Path(path)
        (self.path / "blobs" / "sha256").mkdir(parents=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.entries = []

    def blob(self, data):
        """Adds a blob; its descriptor."""
        (self.path / "blobs" / "sha256" / digest(data)).write_bytes(data)
        return {"digest": f"sha256:{digest(data)}", "size": len(data)}

    def json(self, value, kind):
        """Adds JSON as a blob; its descriptor."""
        return {"mediaType": kind, **self.blob(json.dumps(value).encode())}

    def manifest(self, data, layer_type=UKI_TYPE):
        """Adds DATA as an image of one layer; its descriptor."""
        layer = {"mediaType": layer_type, **self.blob(data)}
        config = self.json({"architecture": "amd64", "os": "linux",
                            "rootfs": {"type": "layers",
                                       "diff_ids": [layer["digest"]]}},
                           "application/vnd.oci.image.config.v1+json")
        return self.json({"schemaVersion": 2, "mediaType": MANIFEST_TYPE,
                          "config": config, "layers": [layer]}, MANIFEST_TYPE)

    def tag(self, name, descriptor):
        """Has NAME mean DESCRIPTOR; the index is written last, by rename."""
        annotations = {"org.opencontainers.image.ref.name": name}
        self.entries = [e for e in self.entries
                        if e["annotations"] != annotations]
        self.entries.append({**descriptor, "annotations": annotations})
        fresh = self.path / "index.new"
        fresh.write_text(json.dumps({"schemaVersion": 2,
                                     "manifests": self.entries}))
        fresh.rename(self.path / "index.json")


def skopeo_copy(source, target):
    """Copies the image DIR:TAG to another DIR:TAG as an operator would."""
    subprocess.run([paths.program("skopeo"), "--insecure-policy", "copy",
                    "--quiet", f"oci:{source}", f"oci:{target}"],
                   check=True, stdout=subprocess.DEVNULL)
