# SPDX-License-Identifier: Apache-2.0
"""Seeds × settings as trials; each is the public commands in processes of their own."""
