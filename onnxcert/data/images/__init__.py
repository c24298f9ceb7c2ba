"""Images as files on disk: decoded, upright, in the input unit of the contract."""
