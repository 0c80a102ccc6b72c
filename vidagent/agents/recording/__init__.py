"""Records a model's replies and replays them."""
