package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.session.SessionKey;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class GlanceTest {
    private final SessionKey glanced = new SessionKey();
    private final SessionKey parsed = new SessionKey();

    static Stream<Arguments> samples() { return Samples.all().values().stream().map(Arguments::arguments); }

    /** All samples: whatever the glance names, the parser names as well, if it takes the packet. */
    @MethodSource("samples")
    @ParameterizedTest
    void itSeesWhatTheParserSees(byte[] frame) {
        if (!glance(frame)) return;
        PacketView view = PacketBuilder.view(frame);
        if (Parser.parse(view) != DropReason.NONE) return;
        view.writeKey(parsed, 0);
        assertThat(glanced.sameAs(parsed)).isTrue();
    }

    @Test
    void plainPacketsOfBothVersionsAreSeen() {
        for (PacketBuilder each : new PacketBuilder[]{ PacketBuilder.tcp4(), PacketBuilder.tcp6(), PacketBuilder.udp4(),
                PacketBuilder.udp6() }) {
            byte[] frame = each.bytes();
            byte[] padded = Arrays.copyOf(frame, Math.max(60, frame.length));
            assertThat(glance(padded)).isTrue();
            PacketBuilder.parsed(frame).writeKey(parsed, 0);
            assertThat(glanced.sameAs(parsed)).isTrue();
        }
    }

    @Test
    void itReadsNothingOutsideOfTheFrame() {
        SplittableRandom random = new SplittableRandom(1);
        for (byte[] sample : Samples.all().values())
            for (int length = 0; length <= sample.length; length += 1 + random.nextInt(7)) glance(Arrays.copyOf(sample, length));
    }

    /** Of memory that ends with the frame. */
    private boolean glance(byte[] frame) {
        return Glance.writeKey(MemorySegment.ofArray(frame), 0, frame.length, glanced);
    }
}
