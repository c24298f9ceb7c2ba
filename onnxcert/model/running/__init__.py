"""A model that runs: sessions on a device, batches through them, and how that is best and safely
done."""
