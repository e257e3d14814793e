package io.ambo.hatests.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CaptureReaderTest {
    private static final byte[] FRAME = frame(60);

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({ "LITTLE_ENDIAN, true", "LITTLE_ENDIAN, false", "BIG_ENDIAN, true", "BIG_ENDIAN, false" })
    void readsPcapOfBothOrdersAndBothClocks(String order, boolean nanoseconds) throws Exception {
        ByteBuffer file = pcap(order, nanoseconds, 1);
        record(file, 7, 250, FRAME);
        record(file, 8, 0, FRAME);
        List<CapturedPacket> packets = read(file);
        assertThat(packets).hasSize(2);
        assertThat(packets.getFirst().timeNs()).isEqualTo(7_000_000_000L + (nanoseconds ? 250 : 250_000));
        assertThat(packets.getLast().number()).isEqualTo(2);
        assertThat(packets.getLast().frame()).isEqualTo(FRAME);
    }

    @ParameterizedTest
    @CsvSource({ "LITTLE_ENDIAN", "BIG_ENDIAN" })
    void readsPcapng(String order) throws Exception {
        ByteBuffer file = ByteBuffer.allocate(4096).order(order(order));
        section(file);
        // Nanoseconds, and an hour later than it says.
        block(file, 1,
                options -> options.putShort((short) 1).putShort((short) 0).putInt(0).putShort((short) 9).putShort((short) 1).put((byte) 9)
                        .put(new byte[3]).putShort((short) 14).putShort((short) 8).putLong(3600).putInt(0));
        block(file, 0x0BAD, body -> body.putInt(1));
        block(file, 6, body -> body.putInt(0).putInt(0).putInt(5).putInt(FRAME.length).putInt(FRAME.length).put(FRAME));
        List<CapturedPacket> packets = read(file);
        assertThat(packets).hasSize(1);
        assertThat(packets.getFirst().timeNs()).isEqualTo(3_600_000_000_005L);
        assertThat(packets.getFirst().frame()).isEqualTo(FRAME);
    }

    @Test
    void rawIpIsGivenAnEthernetHeader() throws Exception {
        ByteBuffer file = pcap("LITTLE_ENDIAN", false, 101);
        byte[] ipv6 = new byte[40];
        ipv6[0] = 0x60;
        record(file, 1, 0, ipv6);
        assertThat(read(file).getFirst().frame()).hasSize(54).startsWith(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xDD, 0x60);
    }

    @Test
    void whatItWritesItReads() throws Exception {
        Path file = directory.resolve("own.pcap");
        try (CaptureWriter writer = new CaptureWriter(file)) {
            writer.write(1_700_000_000_123_456_789L, FRAME);
        }
        assertThat(CaptureReader.read(file).getFirst().timeNs()).isEqualTo(1_700_000_000_123_456_789L);
    }

    @Test
    void saysWhereADamagedFileIsDamagedAndWhatToDo() {
        refuses(ByteBuffer.wrap("GIF89a..".getBytes(java.nio.charset.StandardCharsets.US_ASCII)),
                "offset 0: no capture: it begins with 47494638");
        ByteBuffer cutOff = pcap("LITTLE_ENDIAN", false, 1);
        record(cutOff, 1, 0, FRAME);
        cutOff.position(cutOff.position() - 10);
        refuses(cutOff, "offset 40: packet 1; the file ends in the middle of it");
        ByteBuffer snapped = pcap("LITTLE_ENDIAN", false, 1);
        snapped.putInt(1).putInt(0).putInt(60).putInt(1514).put(FRAME);
        refuses(snapped, "offset 24: packet 1 was cut to 60 of 1514 bytes; a packet is judged whole: capture again with tcpdump -s 0");
        ByteBuffer absurd = pcap("LITTLE_ENDIAN", false, 1);
        absurd.putInt(1).putInt(0).putInt(-1).putInt(60);
        refuses(absurd, "offset 24: packet 1 of 4294967295 bytes");
        refuses(pcap("LITTLE_ENDIAN", false, 113), "offset 20: link type 113 is not read; this is a capture of all interfaces");
        ByteBuffer torn = ByteBuffer.allocate(200).order(ByteOrder.LITTLE_ENDIAN);
        section(torn);
        torn.putInt(6).putInt(32).put(new byte[20]).putInt(36);
        refuses(torn, "offset 56: a block that begins with length 32 ends with 36; the file is damaged here");
    }

    @Test
    void noDamageMakesItFailOtherwise() throws Exception {
        long seed = new Random().nextLong();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        ByteBuffer pcap = pcap("LITTLE_ENDIAN", false, 1);
        for (int i = 0; i < 5; i++) record(pcap, i, i, FRAME);
        ByteBuffer ng = ByteBuffer.allocate(4096).order(ByteOrder.BIG_ENDIAN);
        section(ng);
        block(ng, 1,
                body -> body.putShort((short) 1).putShort((short) 0).putInt(0).putShort((short) 9).putShort((short) 1).putInt(0x09000000));
        for (int i = 0; i < 5; i++)
            block(ng, 6, body -> body.putInt(0).putInt(0).putInt(5).putInt(FRAME.length).putInt(FRAME.length).put(FRAME));
        for (ByteBuffer whole : List.of(pcap, ng)) {
            byte[] content = bytes(whole);
            for (int i = 0; i < 20_000; i++) {
                byte[] damaged = java.util.Arrays.copyOf(content, 1 + random.nextInt(content.length));
                for (int flips = random.nextInt(6); flips > 0; flips--) damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
                try {
                    CaptureReader.read("damaged", damaged);
                } catch (CaptureException refused) {
                    assertThat(refused.getMessage()).startsWith("damaged: offset ");
                }
            }
        }
    }

    private static void refuses(ByteBuffer file, String message) {
        byte[] content = bytes(file);
        assertThatThrownBy(() -> CaptureReader.read("x.pcap", content)).isInstanceOf(CaptureException.class)
                .hasMessageStartingWith("x.pcap: " + message);
    }

    private static List<CapturedPacket> read(ByteBuffer file) throws CaptureException { return CaptureReader.read("test", bytes(file)); }

    /** What was written, or what was wrapped. */
    private static byte[] bytes(ByteBuffer file) {
        ByteBuffer written = file.position() == 0 ? file.duplicate() : file.duplicate().flip();
        byte[] bytes = new byte[written.remaining()];
        written.get(bytes);
        return bytes;
    }

    private static ByteOrder order(String name) { return name.equals("BIG_ENDIAN") ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN; }

    private static ByteBuffer pcap(String order, boolean nanoseconds, int link) {
        return ByteBuffer.allocate(4096).order(order(order)).putInt(nanoseconds ? 0xA1B23C4D : 0xA1B2C3D4).putShort((short) 2)
                .putShort((short) 4)
                .putLong(0).putInt(65_535).putInt(link);
    }

    private static void record(ByteBuffer file, int seconds, int fraction, byte[] frame) {
        file.putInt(seconds).putInt(fraction).putInt(frame.length).putInt(frame.length).put(frame);
    }

    private static void section(ByteBuffer file) {
        block(file, 0x0A0D0D0A, body -> body.putInt(0x1A2B3C4D).putShort((short) 1).putShort((short) 0).putLong(-1));
    }

    private static void block(ByteBuffer file, int type, java.util.function.Consumer<ByteBuffer> body) {
        int at = file.position();
        file.putInt(type).putInt(0);
        body.accept(file);
        while (file.position() % 4 != 0) file.put((byte) 0);
        int length = file.position() + 4 - at;
        file.putInt(length).putInt(at + 4, length);
    }

    private static byte[] frame(int length) {
        byte[] frame = new byte[length];
        for (int i = 0; i < length; i++) frame[i] = (byte) i;
        return frame;
    }
}
