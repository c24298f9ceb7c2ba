"""Small part segmentation model of generated objects, from chairs to rockets."""
