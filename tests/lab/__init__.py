"""The laboratory: real firmware and real peers in network namespaces."""
