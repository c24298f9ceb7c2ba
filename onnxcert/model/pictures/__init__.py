"""Image models: contract, preprocessing, sliding windows and test-time augmentation."""
