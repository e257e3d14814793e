package io.ambo.node.config;

/** Ports from first to last, both included, 1 to 65535. */
public record PortRange(int first, int last) {
    public boolean contains(int port) { return first <= port && port <= last; }

    @Override
    public String toString() { return first == last ? Integer.toString(first) : first + "-" + last; }
}
