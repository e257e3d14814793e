package io.ambo.node.sys;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bytes from netlink are read within their bounds, whatever they claim. All numbers here are little-endian, as on the machines that Ambo runs on. */
class NetlinkMessageTest {
    /** An RTM_NEWNEIGH: 10.0.0.2 on interface 5, reachable, at 02:00:00:00:00:99. */
    private static final String NEIGHBOUR = "30000000 1c00 0000 07000000 00000000" + "02 000000 05000000 0200 00 01" + "0800 0100 0a000002"
            + "0a00 0200 020000000099 0000";

    private final NetlinkMessage message = new NetlinkMessage();
    private final NetlinkAttributes attributes = new NetlinkAttributes();

    @Test
    void aWholeMessageIsRead() {
        wrap(NEIGHBOUR);
        assertThat(message.next()).isTrue();
        assertThat(message.type()).isEqualTo(Rtnetlink.NEWNEIGH);
        assertThat(message.seq()).isEqualTo(7);
        assertThat(message.i32(Rtnetlink.NDM_INDEX)).isEqualTo(5);
        message.attributes(Rtnetlink.NDM_BYTES, attributes);
        assertThat(attributes.next()).isTrue();
        assertThat(attributes.i32be(0)).isEqualTo(0x0A000002);
        assertThat(attributes.next()).isTrue();
        assertThat(attributes.mac()).isEqualTo(0x02_00_00_00_00_99L);
        assertThat(attributes.next()).isFalse();
        assertThat(message.next()).isFalse();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(textBlock = """
            nothing,                          ''
            half a header,                    '30000000 1c00 00'
            a length of zero,                 '00000000 1c00 0000 07000000 00000000'
            a length below the header's,      '0f000000 1c00 0000 07000000 00000000'
            more than there is,               '11000000 1c00 0000 07000000 00000000'
            a negative length,                'ffffffff 1c00 0000 07000000 00000000'
            the largest length,               'ffffff7f 1c00 0000 07000000 00000000'
            """)
    void whatIsNoMessageEndsTheWalk(String what, String bytes) {
        wrap(bytes);
        assertThat(message.next()).as(what).isFalse();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(textBlock = """
            no attribute,            ''
            half a header,           '0800 01'
            a length of zero,        '0000 0100 0a000002'
            a length below four,     '0300 0100 0a000002'
            more than there is,      '0900 0100 0a000002'
            the largest length,      'ffff 0100 0a000002'
            """)
    void whatIsNoAttributeEndsTheWalk(String what, String bytes) {
        byte[] raw = HexFormat.of().parseHex(bytes.replace(" ", ""));
        attributes.wrap(MemorySegment.ofArray(raw), 0, raw.length);
        assertThat(attributes.next()).as(what).isFalse();
    }

    @Test
    void aValueThatIsTooShortReadsAsZero() {
        byte[] raw = HexFormat.of().parseHex("0500010041000000");
        attributes.wrap(MemorySegment.ofArray(raw), 0, raw.length);
        assertThat(attributes.next()).isTrue();
        assertThat(attributes.size()).isEqualTo(1);
        assertThat(attributes.u8(0)).isEqualTo(0x41);
        assertThat(attributes.text()).isEqualTo("A");
        assertThat(attributes.u16(0)).isZero();
        assertThat(attributes.i32(0)).isZero();
        assertThat(attributes.i64be(0)).isZero();
        assertThat(attributes.mac()).isZero();
        assertThat(attributes.u8(-1)).isZero();
        assertThat(attributes.nested(new NetlinkAttributes(), -5, 50).next()).isFalse();
    }

    @Test
    void mutatedMessagesNeverLeadOutsideTheirBytes() {
        long seed = Long.getLong("ambo.test.seed", System.nanoTime());
        System.out.println("NetlinkMessageTest seed=" + seed);
        SplittableRandom random = new SplittableRandom(seed);
        byte[] original = HexFormat.of().parseHex((NEIGHBOUR + NEIGHBOUR).replace(" ", ""));
        for (int round = 0; round < 200_000; round++) {
            byte[] raw = Arrays.copyOf(original, random.nextInt(original.length + 1));
            for (int i = random.nextInt(5); i > 0 && raw.length > 0; i--) raw[random.nextInt(raw.length)] = (byte) random.nextInt();
            // An exact segment: any read beyond it throws.
            MemorySegment exact = MemorySegment.ofArray(raw);
            message.wrap(exact, 0, raw.length);
            while (message.next()) readAll(message.i32(0));
        }
    }

    private void readAll(int sink) {
        NetlinkAttributes inner = new NetlinkAttributes();
        message.attributes(Rtnetlink.NDM_BYTES, attributes);
        while (attributes.next()) {
            long read = sink + attributes.mac() + attributes.i64be(attributes.size() - 4) + attributes.text().length() + message.u16(60);
            assertThat(read).isNotEqualTo(Long.MIN_VALUE);
            attributes.nested(inner, 2, attributes.u16(0));
            while (inner.next()) assertThat(inner.size()).isLessThanOrEqualTo(attributes.size());
        }
    }

    private void wrap(String hex) {
        byte[] raw = HexFormat.of().parseHex(hex.replace(" ", ""));
        MemorySegment segment = Arena.ofAuto().allocate(Math.max(1, raw.length), 8);
        MemorySegment.copy(raw, 0, segment, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, raw.length);
        message.wrap(segment, 0, raw.length);
    }
}
