#!/usr/bin/env python3
"""Makes the wheel of blip_score: the package, blip_mpi_score and the libraries that it loads but for glibc's. One file for
all Pythons from 3.9 on, on x86-64 Linux with a glibc as new as this machine's. Called by `make wheel`."""
import argparse
import base64
import hashlib
import pathlib
import re
import subprocess
import zipfile

ROOT = pathlib.Path(__file__).parent
GLIBC = re.compile(r"^(linux-vdso|ld-linux|libc\.|libm\.|libdl\.|libpthread\.|librt\.|libresolv\.)")


def libraries_of(program):
    """Name and file of each library that the program loads, glibc's left out."""
    found = {}
    for line in subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.splitlines():
        name, _, rest = line.strip().partition(" => ")
        if GLIBC.match(pathlib.Path(name.split()[0]).name):
            continue
        path = rest.split(" (")[0]
        if not path or path == "not found":
            raise SystemExit(f"{program} needs {name}, which is not found")
        found[name] = pathlib.Path(path)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--licence", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    told = subprocess.run([options.program, "--version"], check=True, capture_output=True, text=True).stdout
    version = re.match(r"\S+ (\d[\w.]*)", told).group(1)
    info = f"blip_score-{version}.dist-info"
    tag = "py3-none-linux_x86_64"
    files = {f"blip_score/{path.relative_to(ROOT / 'blip_score')}": path.read_bytes()
             for path in sorted((ROOT / "blip_score").rglob("*.py"))}
    files["blip_score/bin/blip_mpi_score"] = options.program.read_bytes()
    for name, path in sorted(libraries_of(options.program).items()):
        files[f"blip_score/lib/{name}"] = path.read_bytes()
    files[f"{info}/LICENSE"] = options.licence.read_bytes()
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: blip-score\nVersion: {version}\n"
        "Summary: BLEU, METEOR, ROUGE-L and CIDEr of captions, with pycocoevalcap's names and results, without Java\n"
        "Requires-Python: >=3.9\nLicense-File: LICENSE\n").encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: blip_mpi\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    record = ""
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(content)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    options.out.mkdir(parents=True, exist_ok=True)
    wheel = options.out / f"blip_score-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))    # the same file from the same content
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if "/bin/" in name or "/lib/" in name else 0o100644) << 16
            archive.writestr(entry, content)
    print(wheel)


if __name__ == "__main__":
    main()
