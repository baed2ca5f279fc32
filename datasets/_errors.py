"""The one error of this package."""


class DataError(ValueError):
    """A data set, or an argument about one, is absent, damaged or inconsistent.

    The text is one sentence: what, the value got, the value expected, the remedy.
    """
