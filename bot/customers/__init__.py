"""Who customers are: browsers that visit, people a verified identity names, the keys that vouch for them."""
