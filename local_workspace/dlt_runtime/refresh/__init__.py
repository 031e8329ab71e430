"""An update refreshes each dataset: what a flow reads, which of its rows are kept, and the commit that adds them."""
