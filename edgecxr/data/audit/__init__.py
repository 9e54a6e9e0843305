# SPDX-License-Identifier: Apache-2.0
"""What is wrong with sets of images: ``edgecxr data audit``."""
