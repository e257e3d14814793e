package io.ambo.node.routing;

/**
 * {@link Routes} answered by the kernel. Known destinations come from a bounded cache without a system call; a new one costs two (a route and, for a new
 * hop, a neighbour), which never wait: rtnetlink answers inside the send.
 */
public final class KernelRoutes implements Routes {
    KernelRoutes() {}

    @Override
    public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
        throw new UnsupportedOperationException();
    }

    @Override
    public DataInterface ingress(int port, int vlan) { throw new UnsupportedOperationException(); }

    @Override
    public long generation() { throw new UnsupportedOperationException(); }
}
