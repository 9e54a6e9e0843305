# SPDX-License-Identifier: Apache-2.0
from edgecxr.cli.main import main

main()
