package io.ambo.node.routing;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.node.sys.Netlink;
import io.ambo.node.sys.NetlinkMessage;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the kernel says is read without trust in its lengths. */
class RouteQueryTest {
    /** An RTM_NEWROUTE with metrics (MTU 1400) and two next hops, the second through a gateway of the other family. */
    private static final String MULTIPATH = "68000000 1800 0000 01000000 00000000" + "02 18 00 00 fe 03 00 01 00000000"
            + "0c00 0800 0800 0200 78050000"
            + "3400 0900" + "1000 00 00 05000000 0800 0500 0a000002"
            + "2000 10 02 06000000 1600 1200 0a00 fd000000000000000000000000000002 0000"
            + "0800 0400 07000000";
    /** RTM_NEWLINK of a VLAN device, RTM_NEWADDR, RTM_NEWNEIGH: the shapes that {@link Links} and {@link NeighbourQuery} read. */
    private static final String LINK = "44000000 1000 0000 01000000 00000000" + "00 00 0100 05000000 43000100 00000000"
            + "0800 0300 76300000"
            + "0800 0500 02000000" + "1400 1200" + "0800 0100 766c616e" + "0800 0200 0600 0100";
    private static final String ADDRESS = "20000000 1400 0000 01000000 00000000" + "02 18 80 00 05000000" + "0800 0200 0a000001";

    private final Netlink netlink = Netlink.open(65_536);
    private final RouteQuery query = new RouteQuery(netlink);

    @AfterEach
    void close() { netlink.close(); }

    @Test
    void allHopsOfARouteAreRead() {
        NetlinkMessage message = message(bytes(MULTIPATH));
        assertThat(message.next()).isTrue();
        query.read(message);
        assertThat(query.mtu).isEqualTo(1400);
        assertThat(query.hopCount).isEqualTo(2);
        assertThat(query.hopIndex).startsWith(5, 6);
        assertThat(new Address(query.hopHigh[0], query.hopLow[0])).hasToString("10.0.0.2");
        assertThat(new Address(query.hopHigh[1], query.hopLow[1])).hasToString("fd00:0:0:0:0:0:0:2");
        assertThat(query.hopWeight[0]).isEqualTo(1);
        assertThat(query.hopWeight[1]).as("its link is down").isZero();
    }

    @Test
    void mutatedMessagesOfEveryKindAreSurvived() {
        long seed = Long.getLong("ambo.test.seed", System.nanoTime());
        System.out.println("RouteQueryTest seed=" + seed);
        SplittableRandom random = new SplittableRandom(seed);
        byte[][] originals = { bytes(MULTIPATH), bytes(LINK), bytes(ADDRESS) };
        Links links = new Links();
        NeighbourQuery neighbours = new NeighbourQuery(netlink);
        for (int round = 0; round < 100_000; round++) {
            byte[] original = originals[random.nextInt(originals.length)];
            byte[] raw = random.nextInt(4) == 0 ? Arrays.copyOf(original, random.nextInt(original.length)) : original.clone();
            for (int i = random.nextInt(6); i > 0 && raw.length > 0; i--) raw[random.nextInt(raw.length)] = (byte) random.nextInt();
            if (raw.length >= 4 && random.nextBoolean()) Arrays.fill(raw, 1, 4, (byte) 0);
            NetlinkMessage message = message(raw);
            while (message.next()) {
                query.read(message);
                assertThat(query.hopCount).isBetween(0, RouteQuery.HOPS_LIMIT);
                boolean ignored = neighbours.read(message);
                links.onLink(message);
                links.onAddress(message);
            }
            if (round % 1_000 == 0) links.forget();
        }
        assertThat(links.localAddresses()).isNotNull();
    }

    private static NetlinkMessage message(byte[] raw) { return new NetlinkMessage().wrap(MemorySegment.ofArray(raw), 0, raw.length); }

    private static byte[] bytes(String hex) {
        byte[] raw = HexFormat.of().parseHex(hex.replace(" ", ""));
        raw[0] = (byte) raw.length;
        return raw;
    }
}
