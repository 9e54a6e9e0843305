# SPDX-License-Identifier: Apache-2.0
"""A bundle → firmware → a board, real or emulated."""
