@NullMarked
package io.ambo.node.config;

import org.jspecify.annotations.NullMarked;
