"""Writes the manifests by which winget and Scoop install Blendtray.

Usage: manifests.py VERSION ADDRESS FOLDER

FOLDER has the packages of the version; ADDRESS is where they will be published.
"""

import hashlib
import json
import pathlib
import sys

version, address, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
setup = f"blendtray-{version}-setup.exe"
archives = {
    "64bit": (f"blendtray-{version}-windows-amd64.zip", f"blendtray-{version}"),
    "arm64": (f"blendtray-{version}-windows-arm64-headless.zip", f"blendtray-{version}-arm64"),
}
SUMMARY = "Python scripts run in a warm Blender as they are saved"
HOME = "https://blendtray.org"


def sha256(name: str) -> str:
    """Return the hash of a package, in the form that both managers take."""
    return hashlib.sha256((out / name).read_bytes()).hexdigest()


def winget(kind: str, **fields: object) -> str:
    """Return a manifest of winget. Every value is written as JSON, which is YAML, too."""
    fields = {
        "PackageIdentifier": "Blendtray.Blendtray",
        "PackageVersion": version,
        **fields,
        "ManifestType": kind,
        "ManifestVersion": "1.6.0",
    }
    schema = (
        f"# yaml-language-server: $schema=https://aka.ms/winget-manifest.{kind}.1.6.0.schema.json\n"
    )
    return schema + "".join(f"{name}: {json.dumps(value)}\n" for name, value in fields.items())


def installer(scope: str, switch: str) -> dict[str, object]:
    """Return the part of the manifest about the installer for one user, or for all."""
    elevation = "elevationRequired" if scope == "machine" else "elevationProhibited"
    return {
        "Architecture": "x64",
        "Scope": scope,
        "InstallerUrl": f"{address}/{setup}",
        "InstallerSha256": sha256(setup).upper(),
        **({"InstallerSwitches": {"Custom": switch}} if switch else {}),
        "ElevationRequirement": elevation,
    }


name = "Blendtray.Blendtray"
folder = out / "winget"
folder.mkdir(exist_ok=True)
manifests = {
    f"{name}.yaml": winget("version", DefaultLocale="en-US"),
    f"{name}.installer.yaml": winget(
        "installer",
        InstallerType="nullsoft",
        InstallModes=["interactive", "silent"],
        UpgradeBehavior="install",
        Commands=["blendtray"],
        # As docs/packaging.md has them, so that winget says the same.
        ExpectedReturnCodes=[
            {"InstallerReturnCode": code, "ReturnResponse": response}
            for code, response in (
                (1602, "cancelledByUser"),
                (1603, "fileInUse"),
                (1638, "downgrade"),
            )
        ],
        Installers=[installer("user", ""), installer("machine", "/ALLUSERS")],
    ),
    f"{name}.locale.en-US.yaml": winget(
        "defaultLocale",
        PackageLocale="en-US",
        Publisher="The Blendtray authors",
        PackageName="Blendtray",
        PackageUrl=HOME,
        License="GPL-3.0-or-later",
        ShortDescription=SUMMARY,
        Tags=["blender", "python", "render"],
    ),
}
for file, text in manifests.items():
    (folder / file).write_text(text, encoding="utf-8", newline="\n")

architecture: dict[str, dict[str, object]] = {
    arch: {"url": f"{address}/{file}", "hash": sha256(file), "extract_dir": inside}
    for arch, (file, inside) in archives.items()
}
architecture["64bit"]["shortcuts"] = [["blendtrayw.exe", "Blendtray"]]
scoop = {
    "version": version,
    "description": SUMMARY,
    "homepage": HOME,
    "license": "GPL-3.0-or-later",
    "architecture": architecture,
    "bin": "blendtray.exe",
    "pre_uninstall": '& "$dir\\blendtray.exe" service stop | Out-Null',
}
text = json.dumps(scoop, indent=4) + "\n"
(out / "blendtray.scoop.json").write_text(text, encoding="utf-8", newline="\n")
