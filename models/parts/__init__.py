"""A bundled point-cloud model: parts of drawn things, from chairs to rockets."""
