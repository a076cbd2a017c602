// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The cheat codes that these tests use
interface Vm {
    /// @notice Sets the time of the block.
    function warp(uint256 timestamp) external;
    /// @notice The next call comes from this account.
    function prank(address sender) external;
    /// @notice Signs with a private key.
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    /// @notice The address of a private key.
    function addr(uint256 key) external pure returns (address);
    /// @notice A file's text.
    function readFile(string calldata path) external view returns (string memory);
    /// @notice Bytes in a JSON text.
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    /// @notice A word in a JSON text.
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    /// @notice An address in a JSON text.
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
}
