//! A parsed template. Immutable and shared: a file is parsed once for all that import it.

use std::sync::Arc;

use crate::diag::Source;

/// Where something stands in its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub line: u32,
    pub column: u32,
    pub length: u32,
}

#[derive(Debug)]
pub struct Template {
    pub source: Arc<Source>,
    pub body: Vec<Stmt>,
    /// The blocks that it defines, for templates that extend others.
    pub blocks: Vec<(Arc<str>, Arc<Vec<Stmt>>)>,
}

#[derive(Debug)]
pub struct Stmt {
    pub span: Span,
    pub kind: StmtKind,
}

#[derive(Debug)]
pub enum StmtKind {
    Text(Arc<str>),
    Print(Expr),
    If { arms: Vec<(Expr, Vec<Stmt>)>, otherwise: Vec<Stmt> },
    For(Arc<For>),
    Set { target: Target, value: Expr },
    SetBlock { target: Target, filters: Vec<Filter>, body: Vec<Stmt> },
    Macro(Arc<Macro>),
    Call { params: Arc<Macro>, call: Expr },
    FilterBlock { filters: Vec<Filter>, body: Vec<Stmt> },
    With { set: Vec<(Target, Expr)>, body: Vec<Stmt> },
    Include { name: Expr, ignore_missing: bool, context: bool },
    Import { name: Expr, as_name: Arc<str>, context: bool, load: Option<Load> },
    From { name: Expr, names: Vec<(Arc<str>, Arc<str>)>, context: bool },
    Load { load: Load, target: Target, body: Vec<Stmt> },
    Do(Expr),
    Break,
    Continue,
    Extends(Expr),
    Block(Arc<str>),
    Scope(Vec<Stmt>),
}

/// Which of Salt's loaders reads a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    Yaml,
    Json,
    Text,
}

#[derive(Debug)]
pub struct For {
    pub target: Target,
    pub iter: Expr,
    pub test: Option<Expr>,
    pub body: Vec<Stmt>,
    pub otherwise: Vec<Stmt>,
    pub recursive: bool,
}

#[derive(Debug)]
pub struct Macro {
    pub name: Arc<str>,
    pub params: Params,
    pub body: Vec<Stmt>,
    pub uses_varargs: bool,
    pub uses_kwargs: bool,
    pub uses_caller: bool,
}

/// Parameters with their defaults.
pub type Params = Vec<(Arc<str>, Option<Expr>)>;

#[derive(Debug)]
pub enum Target {
    Name(Arc<str>),
    Member(Arc<str>, Arc<str>, Span),
    Tuple(Vec<Target>, Span),
}

#[derive(Debug)]
pub struct Filter {
    pub name: Arc<str>,
    pub args: CallArgs,
    pub span: Span,
}

#[derive(Debug, Default)]
pub struct CallArgs {
    pub positional: Vec<Expr>,
    pub named: Vec<(Arc<str>, Expr)>,
    pub star: Option<Box<Expr>>,
    pub double_star: Option<Box<Expr>>,
}

#[derive(Debug)]
pub struct Expr {
    pub span: Span,
    pub kind: ExprKind,
}

#[derive(Debug)]
pub enum ExprKind {
    Const(Const),
    Name(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, Arc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Box<[Option<Expr>; 3]>),
    Call(Box<Expr>, Box<CallArgs>),
    /// No expression inside of a `{% filter %}` block.
    Filter(Box<Expr>, Box<Filter>),
    Test {
        value: Box<Expr>,
        test: Box<Filter>,
        negated: bool,
    },
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Cmp, Expr)>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    If {
        then: Box<Expr>,
        test: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
}

#[derive(Debug, Clone)]
pub enum Const {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}
