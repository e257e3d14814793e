package io.ambo.hatests.traffic;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.hatests.lab.Addresses;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class FramesTest {
    private static final Frames.Ends IPV4 = new Frames.Ends(0x020000000001L, 0x020000000002L, Addresses.of("10.10.1.100"), 4660,
            Addresses.of("10.10.2.100"), 80);
    private static final Frames.Ends IPV6 = new Frames.Ends(0x020000000001L, 0x020000000002L, Addresses.of("fd00:10:1::100"), 4660,
            Addresses.of("fd00:10:2::100"),
            80);

    @Test
    void aDatagramOfIpv4HasRightHeadersAndChecksums() {
        assertThat(HexFormat.of().formatHex(Frames.udp(IPV4, new byte[]{ 'o', 'k' })))
                .isEqualTo("020000000002" + "020000000001" + "0800" + "4500001e000040004011" + "22f4" + "0a0a0164" + "0a0a0264"
                        + "12340050000a" + "660f" + "6f6b");
    }

    @Test
    void addingUpAHeaderWithItsChecksumGivesAllOnes() {
        for (Frames.Ends ends : new Frames.Ends[]{ IPV4, IPV6 }) {
            byte[] frame = Frames.tcp(ends, Frames.SYN, 0x01020304, 0, 1000, new byte[]{ 1, 2, 3 });
            int transport = ends.equals(IPV4) ? 34 : 54;
            int addresses = ends.equals(IPV4) ? 26 : 22;
            long sum = (long) Frames.TCP + (frame.length - transport);
            for (int i = addresses; i < frame.length; i++) {
                boolean high = (i - addresses) % 2 == 0;
                sum += (frame[i] & 0xFFL) << (high ? 8 : 0);
            }
            while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >>> 16);
            assertThat(sum).isEqualTo(0xFFFF);
        }
    }
}
