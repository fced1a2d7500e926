"""documents.py HELM INTO: what documents tell people to type. Every `helm install`, `upgrade` and `template` of them renders;
every YAML of them that is a whole resource is written to INTO/document-*.yaml, to be held against schemas; every file that they
name is there.
"""

import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "helm/README.md", ROOT / "README.md"])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# What only means something to a release that is there.
OF_A_RELEASE = {"--reset-then-reuse-values", "--take-ownership", "--create-namespace", "--install"}


def renders(helm, line):
    """Runs an install or upgrade as `helm template`; `helm` in it is our chart."""
    words = [word for word in shlex.split(line.split(" | ")[0]) if word not in OF_A_RELEASE]
    command = [helm, "template", *words[2:], "--kube-version", "1.33"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{line}\n{done.stderr}")


def main(helm, into):
    commands = manifests = 0
    for page in PAGES:
        text = page.read_text()
        for link in LINK.findall(text):
            if not (page.parent / link).exists():
                sys.exit(f"{page.relative_to(ROOT)}: there is no {link}")
        for language, block in BLOCK.findall(text):
            lines = block.replace("\\\n", " ").splitlines()
            for line in lines if language == "sh" else []:
                if re.match(r"helm (install|upgrade|template) ", line):
                    renders(helm, line)
                    commands += 1
                for file in re.findall(r"\bmanifests/[\w./-]+", line):
                    if not (ROOT / file).exists():
                        sys.exit(f"{page.relative_to(ROOT)}: there is no {file}")
            if language == "yaml" and re.search(r"^apiVersion:", block, re.M):
                manifests += 1
                (pathlib.Path(into) / f"document-{page.stem}-{manifests}.yaml").write_text(block)
    if not commands or not manifests:
        sys.exit("documents: no command or no manifest was found")
    print(f"documents: {commands} commands render, {manifests} manifests")


main(*sys.argv[1:])
