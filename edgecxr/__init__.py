# SPDX-License-Identifier: Apache-2.0
"""edgecxr: chest X-ray classifiers from a folder of images to a verified microcontroller.

For research and teaching. Not a medical device.
"""

__version__ = "0.1.0"
