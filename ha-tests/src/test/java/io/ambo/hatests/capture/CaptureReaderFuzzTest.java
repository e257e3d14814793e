package io.ambo.hatests.capture;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.List;

/** Any file at all: it is refused with its place, or its packets are within it. */
class CaptureReaderFuzzTest {

    @FuzzTest(maxDuration = "10s")
    void anyBytesAreReadOrRefused(byte[] bytes) {
        try {
            List<CapturedPacket> packets = CaptureReader.read("fuzzed", bytes);
            // An Ethernet header is shorter than the packet header in the file.
            assertThat(packets.stream().mapToLong(packet -> packet.frame().length).sum()).isLessThanOrEqualTo(bytes.length);
            for (int i = 0; i < packets.size(); i++) assertThat(packets.get(i).number()).isEqualTo(i + 1);
        } catch (CaptureException refused) {
            assertThat(refused.getMessage()).startsWith("fuzzed: offset ");
        }
    }
}
