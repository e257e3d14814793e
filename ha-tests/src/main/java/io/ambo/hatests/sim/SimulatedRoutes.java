package io.ambo.hatests.sim;

import io.ambo.node.firewall.Names;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;

/** Port 0 leads to the clients, port 1 to everything else. The same on every node. */
final class SimulatedRoutes implements Routes {
    static final int INSIDE = 0, OUTSIDE = 1;
    /** First bytes of the clients' networks. */
    static final int CLIENTS_V4 = 10;
    static final long CLIENTS_V6 = 0x2001_0DB8_0000_0001L;
    private static final long NEXT_HOP = 0x02_00_00_00_00_99L;
    private static final int MTU = 1500;

    private final DataInterface[] interfaces = { data(INSIDE, "inside"), data(OUTSIDE, "outside") };

    private static DataInterface data(int port, String zone) {
        return new DataInterface(port + 1, "data" + port, port, -1, Names.zoneId(zone), 0x02_00_00_00_01_00L + port, MTU, 0x0A0000FE + port,
                CLIENTS_V6, 0xFE + port, true);
    }

    @Override
    public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
        boolean toClient = destinationHigh == 0 ? (destinationLow >>> 24 & 0xFF) == CLIENTS_V4 : destinationHigh == CLIENTS_V6;
        into.egress = interfaces[toClient ? INSIDE : OUTSIDE];
        into.destinationMac = NEXT_HOP;
        into.mtu = MTU;
        return Result.FOUND;
    }

    @Override
    public DataInterface ingress(int port, int vlan) { return vlan >= 0 || port > OUTSIDE ? DataInterface.NONE : interfaces[port]; }

    @Override
    public DataInterface inZone(int zone) { return interfaces[zone == interfaces[INSIDE].zone() ? INSIDE : OUTSIDE]; }

    @Override
    public long generation() { return 1; }
}
