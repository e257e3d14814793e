package io.ambo.node.routing;

import static io.ambo.node.routing.Routes.Result.FOUND;
import static io.ambo.node.routing.Routes.Result.LOCAL;
import static io.ambo.node.routing.Routes.Result.NEIGHBOUR_FAILED;
import static io.ambo.node.routing.Routes.Result.NOT_A_DATA_INTERFACE;
import static io.ambo.node.routing.Routes.Result.NO_ROUTE;
import static io.ambo.node.routing.Routes.Result.PENDING;
import static io.ambo.node.routing.Routes.Result.PROHIBITED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.ambo.node.routing.KernelNetwork.Wanted;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The kernel's own routing tables, seen through Ambo, in network namespaces. */
class KernelRoutesTest {
    private static final Duration ONE_SECOND = Duration.ofSeconds(1);
    private static final Duration KERNEL_GIVES_UP = Duration.ofSeconds(8);
    private static final long MAC_99 = 0x02_00_00_00_00_99L;

    private final NextHop hop = new NextHop();
    private TwoHosts hosts;
    private KernelNetwork network;
    private KernelRoutes routes;

    @BeforeEach
    void open() throws Exception {
        hosts = TwoHosts.create();
        hosts.sysctl("net.ipv4.conf.all.forwarding=0");
        open(new Wanted("east0", 7), new Wanted("west0", 8));
    }

    private void open(Wanted... wanted) throws Exception {
        if (network != null) network.close();
        network = hosts.call(() -> KernelNetwork.open(List.of(wanted)));
        routes = hosts.call(network::newRoutes);
        await().atMost(ONE_SECOND).until(() -> network.interfaces().stream().allMatch(one -> one.index() == 0 || one.linkIsUp()));
    }

    @AfterEach
    void close() {
        if (network != null) network.close();
        if (hosts != null) hosts.close();
    }

    @Test
    void theGatewayOfARouteIsFoundWithItsHardwareAddress() {
        hosts.ip("route add 198.51.100.0/24 via 10.0.0.2");
        hosts.ip("route add 2001:db8:1::/48 via fd01::2");
        eventually("198.51.100.7", FOUND);
        assertThat(hop.egress.name()).isEqualTo("east0");
        assertThat(hop.egress.zone()).isEqualTo(7);
        assertThat(hop.destinationMac).isEqualTo(peerMac("east1"));
        assertThat(hop.mtu).isEqualTo(1500);
        eventually("2001:db8:1::7", FOUND);
        assertThat(hop.egress.name()).isEqualTo("west0");
        assertThat(hop.destinationMac).isEqualTo(peerMac("west1"));
    }

    @Test
    void anUnknownNeighbourIsPendingUntilTheKernelHasResolvedIt() {
        for (String late : List.of("10.0.0.55", "fd00::55")) {
            assertThat(lookup(late)).isEqualTo(PENDING);
            assertThat(hop.egress.name()).as("rules can be asked before the neighbour answers").isEqualTo("east0");
            assertThat(hop.mtu).isEqualTo(1500);
            long before = network.generation();
            hosts.peerIp("addr add " + late + (late.contains(":") ? "/64 dev east1 nodad" : "/24 dev east1"));
            await().atMost(KERNEL_GIVES_UP).until(() -> lookup(late) == FOUND);
            assertThat(hop.destinationMac).isEqualTo(peerMac("east1"));
            assertThat(network.generation()).as("who waits is told").isGreaterThan(before);
        }
    }

    @Test
    void aNeighbourThatDoesNotAnswerFailsAndIsTriedAgainUntilItDoes() {
        assertThat(lookup("10.0.0.66")).isEqualTo(PENDING);
        assertThat(lookup("fd00::66")).isEqualTo(PENDING);
        await().atMost(KERNEL_GIVES_UP).until(() -> lookup("10.0.0.66") == NEIGHBOUR_FAILED && lookup("fd00::66") == NEIGHBOUR_FAILED);
        hosts.peerIp("addr add 10.0.0.66/24 dev east1");
        await().atMost(KERNEL_GIVES_UP).until(() -> lookup("10.0.0.66") == FOUND);
    }

    @Test
    void aGatewayOfTheOtherAddressFamilyIsFollowed() {
        hosts.ip("route add 198.51.100.0/24 via inet6 fd00::2 dev east0");
        eventually("198.51.100.7", FOUND);
        assertThat(hop.destinationMac).isEqualTo(peerMac("east1"));
    }

    @Test
    void routesThatForbidAreToldApartFromNoRoute() {
        hosts.ip("route add blackhole 198.51.100.0/26");
        hosts.ip("route add prohibit 198.51.100.64/26");
        hosts.ip("route add unreachable 198.51.100.128/26");
        hosts.ip("route add blackhole 2001:db8:1::/48");
        hosts.ip("route add prohibit 2001:db8:2::/48");
        hosts.ip("route add unreachable 2001:db8:3::/48");
        for (String forbidden : List.of("198.51.100.1", "198.51.100.65", "198.51.100.129", "2001:db8:1::1", "2001:db8:2::1",
                "2001:db8:3::1")) {
            eventually(forbidden, PROHIBITED);
        }
        assertThat(lookup("203.0.113.1")).isEqualTo(NO_ROUTE);
        assertThat(lookup("2001:db8:4::1")).isEqualTo(NO_ROUTE);
        assertThat(lookup("10.0.0.255")).as("broadcast").isEqualTo(PROHIBITED);
    }

    @Test
    void addressesOfThisHostAreLocal() {
        for (String own : List.of("10.0.0.1", "10.1.0.1", "fd00::1", "127.0.0.1", "::1")) assertThat(lookup(own)).as(own).isEqualTo(LOCAL);
    }

    @Test
    void aRouteThroughAnInterfaceThatTheConfigDoesNotNameIsSaidToBeOne() throws Exception {
        open(new Wanted("east0", 7));
        eventually("10.1.0.2", NOT_A_DATA_INTERFACE);
    }

    @Test
    void theMtuOfARouteCountsWhenItIsTheSmallerOne() {
        hosts.ip("route add 198.51.100.0/24 via 10.0.0.2 mtu 1400");
        eventually("198.51.100.7", FOUND);
        assertThat(hop.mtu).isEqualTo(1400);
        hosts.ip("link set east0 mtu 1300");
        await().atMost(ONE_SECOND).until(() -> lookup("198.51.100.7") == FOUND && hop.mtu == 1300);
    }

    @Test
    void equalRoutesShareTheFlowsByTheirWeights() {
        hosts.ip("neigh add 10.0.0.99 lladdr 02:00:00:00:00:99 dev east0 nud permanent");
        hosts.ip("neigh add 10.1.0.98 lladdr 02:00:00:00:00:98 dev west0 nud permanent");
        hosts.ip("neigh add fd00::99 lladdr 02:00:00:00:00:99 dev east0 nud permanent");
        hosts.ip("neigh add fd01::98 lladdr 02:00:00:00:00:98 dev west0 nud permanent");
        hosts.ip("route add 198.51.100.0/24 nexthop via 10.0.0.99 weight 3 nexthop via 10.1.0.98 weight 1");
        hosts.ip("route add 2001:db8:1::/48 nexthop via fd00::99 weight 3 nexthop via fd01::98 weight 1");
        hosts.ip("nexthop add id 1 via 10.0.0.99 dev east0");
        hosts.ip("nexthop add id 2 via 10.1.0.98 dev west0");
        hosts.ip("nexthop add id 3 group 1,3/2,1");
        hosts.ip("route add 203.0.113.0/24 nhid 3");
        for (String destination : List.of("198.51.100.7", "2001:db8:1::7", "203.0.113.7")) {
            eventually(destination, FOUND);
            int east = 0;
            for (int flow = 0; flow < 10_000; flow++) {
                assertThat(lookup(destination, flow)).isEqualTo(FOUND);
                if (hop.destinationMac == MAC_99) east++;
            }
            assertThat(east).as(destination).isBetween(7_200, 7_800);
        }
    }

    @Test
    void anEqualRouteWhoseNeighbourHasFailedIsPassedOver() {
        hosts.ip("neigh add 10.0.0.99 lladdr 02:00:00:00:00:99 dev east0 nud permanent");
        hosts.ip("route add 198.51.100.0/24 nexthop via 10.0.0.99 nexthop via 10.1.0.77");
        await().atMost(KERNEL_GIVES_UP).until(() -> {
            for (int flow = 0; flow < 100; flow++) if (lookup("198.51.100.7", flow) != FOUND) return false;
            return true;
        });
        assertThat(hop.destinationMac).isEqualTo(MAC_99);
    }

    @Test
    void aPermanentNeighbourStaysPermanent() {
        hosts.ip("neigh add 10.0.0.99 lladdr 02:00:00:00:00:99 dev east0 nud permanent");
        assertThat(lookup("10.0.0.99")).isEqualTo(FOUND);
        assertThat(hop.destinationMac).isEqualTo(MAC_99);
        assertThat(hosts.show("neigh show 10.0.0.99 dev east0")).contains("PERMANENT");
    }

    @Test
    void aChangedRouteCountsWithinASecond() {
        hosts.ip("route add 198.51.100.0/24 via 10.0.0.2");
        eventually("198.51.100.7", FOUND);
        eventually("10.1.0.2", FOUND);
        hosts.ip("route replace 198.51.100.0/24 via 10.1.0.2");
        await().atMost(ONE_SECOND).until(() -> lookup("198.51.100.7") == FOUND && hop.egress.name().equals("west0"));
        hosts.ip("route del 198.51.100.0/24");
        await().atMost(ONE_SECOND).until(() -> lookup("198.51.100.7") == NO_ROUTE);
    }

    @Test
    void aNewHardwareAddressOfANeighbourCountsWithinASecond() {
        eventually("10.0.0.2", FOUND);
        hosts.ip("neigh replace 10.0.0.2 lladdr 02:00:00:00:00:99 dev east0 nud reachable");
        await().atMost(ONE_SECOND).until(() -> lookup("10.0.0.2") == FOUND && hop.destinationMac == MAC_99);
    }

    @Test
    void aStaleNeighbourInUseIsRevalidated() {
        eventually("10.0.0.2", FOUND);
        hosts.ip("neigh replace 10.0.0.2 lladdr 02:00:00:00:00:99 dev east0 nud stale");
        await().atMost(Duration.ofSeconds(4))
                .until(() -> lookup("10.0.0.2") == FOUND && !hosts.show("neigh show 10.0.0.2 dev east0").contains("STALE"));
        // Nobody answers for the wrong address, so the kernel asks everybody and learns the right one.
        await().atMost(Duration.ofSeconds(15)).until(() -> lookup("10.0.0.2") == FOUND && hop.destinationMac == peerMac("east1"));
    }

    @Test
    void anInterfaceThatGoesDownTakesItsRoutesWithIt() {
        eventually("10.0.0.2", FOUND);
        hosts.ip("link set east0 down");
        await().atMost(ONE_SECOND).until(() -> lookup("10.0.0.2") == NO_ROUTE);
        hosts.ip("link set east0 up");
        await().atMost(Duration.ofSeconds(3)).until(() -> lookup("10.0.0.2") == FOUND);
    }

    @Test
    void aLinkWithoutCarrierFailsAtOnce() {
        eventually("10.0.0.2", FOUND);
        hosts.peerIp("link set east1 down");
        await().atMost(Duration.ofSeconds(2)).until(() -> lookup("10.0.0.2") == NEIGHBOUR_FAILED);
    }

    @Test
    void anInterfaceThatIsDeletedAndMadeAgainIsFollowed() {
        eventually("10.0.0.2", FOUND);
        int before = network.ports().get(0).index();
        hosts.ip("link del east0");
        await().atMost(ONE_SECOND).until(() -> network.ports().get(0).index() == 0);
        assertThat(lookup("10.0.0.2")).isEqualTo(NO_ROUTE);
        hosts.ip("link add east0 address 02:00:00:00:00:11 type veth peer name east9");
        hosts.ip("link set east9 up");
        hosts.ip("link set east0 up");
        hosts.ip("addr add 10.0.0.1/24 dev east0");
        hosts.ip("neigh add 10.0.0.2 lladdr 02:00:00:00:00:99 dev east0 nud permanent");
        await().atMost(Duration.ofSeconds(2)).until(() -> lookup("10.0.0.2") == FOUND);
        assertThat(hop.egress.index()).isNotEqualTo(before).isEqualTo(network.ports().get(0).index());
        assertThat(hop.egress.mac()).isEqualTo(0x02_00_00_00_00_11L);
        assertThat(hop.egress.port()).isZero();
    }

    @Test
    void addressesOfTheHostAreFollowed() {
        assertThat(network.localAddresses()).contains(InetAddress.ofLiteral("10.0.0.1"), InetAddress.ofLiteral("fd00::1"),
                InetAddress.ofLiteral("10.0.0.255"), InetAddress.ofLiteral("127.0.0.1"));
        DataInterface east = network.interfaces().get(0);
        assertThat(east.ipv4()).isEqualTo(0x0A000001);
        assertThat(east.ipv6High()).isEqualTo(0xFD00_0000_0000_0000L);
        assertThat(east.ipv6Low()).isEqualTo(1);
        List<String> calls = new ArrayList<>();
        network.onLocalAddressesChange(() -> calls.add("addresses"));
        network.onLinkChange(() -> calls.add("links"));
        hosts.ip("addr add 192.0.2.1/24 dev west0");
        hosts.ip("addr del 10.1.0.1/24 dev west0");
        await().atMost(ONE_SECOND).until(() -> network.localAddresses().contains(InetAddress.ofLiteral("192.0.2.1"))
                && !network.localAddresses().contains(InetAddress.ofLiteral("10.1.0.1"))
                && network.interfaces().get(1).ipv4() == 0xC0000201);
        assertThat(calls).contains("addresses", "links");
        await().atMost(ONE_SECOND).until(() -> lookup("192.0.2.1") == LOCAL);
    }

    @Test
    void framesOfAVlanOfANamedParentBelongToTheInterfaceThatStandsForIt() throws Exception {
        hosts.ip("link add vlan5 type veth peer name unused");
        hosts.ip("link set unused up");
        hosts.ip("link set vlan5 up");
        hosts.ip("addr add 10.5.0.1/24 dev vlan5");
        hosts.ip("neigh add 10.5.0.2 lladdr 02:00:00:00:00:99 dev vlan5 nud permanent");
        open(new Wanted("west0", 8), new Wanted("vlan5", 9, "east0", 5), new Wanted("absent0", 10));
        assertThat(network.ports()).extracting(KernelNetwork.Port::device).containsExactly("west0", "east0");
        assertThat(routes.ingress(1, 5).name()).isEqualTo("vlan5");
        assertThat(routes.ingress(1, 5).zone()).isEqualTo(9);
        assertThat(routes.ingress(0, -1).name()).isEqualTo("west0");
        for (int[] nobody : new int[][]{ { 1, -1 }, { 1, 6 }, { 1, 4 }, { 0, 5 }, { 2, -1 }, { -1, -1 }, { 0, -2 }, { 0, 4096 } }) {
            assertThat(routes.ingress(nobody[0], nobody[1])).isSameAs(DataInterface.NONE);
        }
        eventually("10.5.0.2", FOUND);
        assertThat(hop.egress.port()).isEqualTo(1);
        assertThat(hop.egress.vlan()).isEqualTo(5);
        assertThat(hop.egress.mac()).as("the parent sends the frames").isEqualTo(mac(hosts.show("-br link show east0")));
    }

    @Test
    void aNewListOfInterfacesKeepsThePortNumbers() {
        network.reconfigure(List.of(new Wanted("west0", 18), new Wanted("east0", 17)));
        await().atMost(ONE_SECOND).until(() -> network.interfaces().get(0).name().equals("west0"));
        assertThat(network.ports()).extracting(KernelNetwork.Port::device).containsExactly("east0", "west0");
        assertThat(routes.ingress(0, -1).zone()).isEqualTo(17);
        eventually("10.1.0.2", FOUND);
        assertThat(hop.egress.zone()).isEqualTo(18);
    }

    @Test
    void aStormOfRoutesGivesTheCacheUpOnlyTwiceASecond() {
        List<String> storm = new ArrayList<>();
        for (int i = 0; i < 30_000; i++)
            storm.add("route add 100." + (i >> 16 & 63) + "." + (i >> 8 & 255) + "." + (i & 255) + "/32 via 10.0.0.2");
        long before = network.counters().total(RoutingCounter.ROUTE_CACHE_RENEWALS);
        long startNs = System.nanoTime();
        hosts.batch(storm);
        await().atMost(ONE_SECOND).until(() -> lookup("100.0.117.47") == FOUND);
        double seconds = (System.nanoTime() - startNs) / 1e9;
        long renewals = network.counters().total(RoutingCounter.ROUTE_CACHE_RENEWALS) - before;
        assertThat((double) renewals).isLessThanOrEqualTo(2 * seconds + 2);
    }

    @Test
    void lookingUpAKnownDestinationAllocatesNothing() {
        hosts.ip("neigh add 10.0.0.99 lladdr 02:00:00:00:00:99 dev east0 nud permanent");
        hosts.ip("route add 198.51.100.0/24 via 10.0.0.99");
        eventually("198.51.100.7", FOUND);
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        Address destination = address("198.51.100.7");
        lookups(destination, 200_000);
        long before = threads.getCurrentThreadAllocatedBytes();
        lookups(destination, 1_000_000);
        assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(4_096);
    }

    private void lookups(Address destination, int count) {
        for (int i = 0; i < count; i++) {
            if (routes.lookup(0, 0, destination.high(), destination.low(), i, hop) != FOUND) throw new AssertionError("lost the route");
        }
    }

    private Routes.Result lookup(String destination) { return lookup(destination, 0); }

    private Routes.Result lookup(String destination, int flowHash) {
        Address address = address(destination);
        return routes.lookup(0, 0, address.high(), address.low(), flowHash, hop);
    }

    private void eventually(String destination, Routes.Result expected) {
        await(destination).atMost(Duration.ofSeconds(3)).pollInterval(Duration.ofMillis(10)).until(() -> lookup(destination),
                expected::equals);
    }

    private static Address address(String text) {
        ByteBuffer bytes = ByteBuffer.wrap(InetAddress.ofLiteral(text).getAddress());
        return bytes.remaining() == 4 ? Address.ofIpv4(bytes.getInt()) : new Address(bytes.getLong(), bytes.getLong());
    }

    private long peerMac(String device) { return mac(hosts.peerShow("-br link show " + device)); }

    private static long mac(String briefLink) {
        return Long.parseLong(briefLink.replaceAll("^\\S+\\s+\\S+\\s+(\\S+).*", "$1").replace(":", ""), 16);
    }
}
