"""Finding one object on a small canvas: proposals, suppression, and Faster R-CNN in small."""
