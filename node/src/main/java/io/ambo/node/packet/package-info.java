@NullMarked
package io.ambo.node.packet;

import org.jspecify.annotations.NullMarked;
