"""Install the reference implementations that parity tests compare with, beside the package and not into it.

    python tests/parity/install_references.py [folder]

They pin old versions of packages that they do not need for what is compared, so they go, without dependencies, into
a folder of their own (default ``.references``), which the tests look into by themselves. Without network nothing
happens but a message: the golden files are tested in any case.
"""

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = (
    "nussl==1.1.9",
    "asteroid==0.6.0",
    "openunmix==1.3.0",
    "demucs==2.0.3",
    "julius==0.2.8",
    "kymatio==0.3.0",
    "appdirs==1.4.4",
    "configparser==7.3.0",
    "torchvggish==0.2",
    "transformers==4.46.3",
    "tokenizers==0.20.3",
    "huggingface-hub==0.26.5",
    "museval==0.4.1",
    "fast-bss-eval==0.1.4",
    "mir-eval==0.8.2",
    "decorator==5.3.1",
    "torchmetrics==1.9.0",
    "lightning-utilities==0.15.3",
    # what transformers imports:
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "idna==3.20",
    "pyyaml==6.0.3",
    "regex==2026.11.15",
    "requests==2.34.2",
    "tqdm==4.70.1",
    "urllib3==2.8.0",
)
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / ".references"


def main(folder: Path) -> int:
    if all((folder / f"{name.replace('-', '_').replace('==', '-')}.dist-info").is_dir() for name in REQUIREMENTS):
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(folder)]
    finished = subprocess.run([*command, *REQUIREMENTS], check=False)
    if finished.returncode:
        print("reference implementations not installed: live parity tests will be skipped", file=sys.stderr)
    return finished.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FOLDER))
