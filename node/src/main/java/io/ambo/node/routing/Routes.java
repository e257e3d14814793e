package io.ambo.node.routing;

/**
 * The kernel's routing and neighbour tables as a packet worker sees them: there is no second table to configure. One per worker, used by that thread.
 * A change in the kernel counts within a second.
 */
public interface Routes {
    enum Result {
        FOUND,
        /** The egress and the MTU are filled in, the neighbour is being resolved; hold the packet and ask again when {@link Routes#generation()} has moved. */
        PENDING, NEIGHBOUR_FAILED, NO_ROUTE, PROHIBITED,
        /** The destination is an address of this host. */
        LOCAL,
        /** The route leaves through an interface that is not one of the config's. */
        NOT_A_DATA_INTERFACE
    }

    /**
     * Finds the next hop of a packet. Allocates nothing when the answer is cached.
     *
     * @param flowHash picks one of several equal routes
     */
    Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into);

    /** The interface that frames on this port with this VLAN id (-1: none) belong to, or {@link DataInterface#NONE}. */
    DataInterface ingress(int port, int vlan);

    /** The first interface of this zone that is there, or {@link DataInterface#NONE}: where a packet that a peer handed over counts as come in. */
    DataInterface inZone(int zone);

    /** Grows whenever routes, neighbours, links or addresses changed. */
    long generation();
}
