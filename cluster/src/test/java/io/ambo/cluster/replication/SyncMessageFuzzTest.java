package io.ambo.cluster.replication;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.protobuf.InvalidProtocolBufferException;
import io.ambo.proto.sync.SyncMessage;
import java.util.List;

/** Any bytes at all: they are refused, or what is read from them is within its bounds. */
class SyncMessageFuzzTest {

    @FuzzTest(maxDuration = "10s")
    void anyBytesAreReadOrRefused(byte[] bytes) {
        DeltaReader reader = new DeltaReader();
        try {
            if (reader.read(bytes, 0, bytes.length, 1_000_000) == DeltaReader.Kind.OTHER) SyncMessage.parser().parseFrom(bytes);
            for (int i = 0; i < reader.count(); i++) {
                assertThat(reader.record(i).creator()).isPositive();
                assertThat(reader.record(i).timeoutMs()).isNotNegative();
                for (var half : List.of(reader.record(i).original(), reader.record(i).reply())) assertThat(half.state()).isBetween(0, 4);
            }
        } catch (MalformedMessage | InvalidProtocolBufferException e) {
            assertThat(reader.count()).isZero();
        }
    }
}
