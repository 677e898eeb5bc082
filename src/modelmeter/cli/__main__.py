"""`python -m modelmeter.cli`."""

from modelmeter.cli import main

main()
