"""What can go wrong with a system image, told so that the reader knows what to do next."""


class ImageError(Exception):
    """An image or a registry could not be made; the text says what, where and what to do."""
