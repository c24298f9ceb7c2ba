"""One network: run it, vote in the graph, bind inputs and outputs."""
